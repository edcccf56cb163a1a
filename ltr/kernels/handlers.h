// What the handlers share through which XLA calls the kernels: types of arrays, and how one is refused.

#pragma once

#include <cstdint>

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

using Floats = ffi::Buffer<ffi::F32, 1>;
using Indices = ffi::Buffer<ffi::S32, 1>;
using Matrix = ffi::Buffer<ffi::F32, 2>;
using Images = ffi::Buffer<ffi::F32, 4>;
using Bytes = ffi::Buffer<ffi::U8, 4>;

inline ffi::Error Wrong(const char* what) { return ffi::Error::InvalidArgument(what); }

}  // namespace
