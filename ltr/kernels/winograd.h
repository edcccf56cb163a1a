// Dense convolutions of 3x3 kernels by Winograd's minimal filtering (Lavin & Gray, 2016), and their gradients.
//
// An image is cut into tiles of 4x4 or 2x2 outputs, each computed from 6x6 or 4x4 inputs. Linear transforms turn
// the convolution of a tile into one product per position of the transformed tile: F(4x4, 3x3) takes 36
// multiplications where the definition takes 144, F(2x2, 3x3) 16 where it takes 36. Summed over channels these
// products are matrix products, one per position.
//
// Images are [batch, height, width, channels], kernels [3, 3, in, out], all float32 in rows. Zero padding keeps
// the size of the image. A convolution may be followed, in the same pass over its result, by a bias, relu, and
// 2x2 max pooling, which drops an odd last row or column.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "products.h"
#include "scratch.h"

namespace ltr {

struct ImageShape {
  int64_t batch, height, width, channels;
};

// What a gradient passes through on its way back to a convolution.
enum class Through { kNothing, kRelu, kPooling };

// Images to convolve: `pixels`, or a gradient through relu or pooling.
//   Through relu: pixels where `relu`, the result of the same shape, is positive, zero elsewhere.
//   Through pooling: pixels are [batch, height / 2, width / 2, channels], each with a byte of `corners` (see
//   pooling.inc).
struct Images {
  ImageShape shape;
  const float* pixels;
  Through through = Through::kNothing;
  const float* relu = nullptr;
  const uint8_t* corners = nullptr;
};

// y [batch, height, width, out] = the convolution of x, plus a bias of each output unless it is null, and relu.
//
// If it pools, y is pooled after relu: it is [batch, height / 2, width / 2, out], and corners are set.
//
// A `turned` kernel is [3, 3, out, in], rotated by half a turn. Then y is the gradient of the inputs of a
// convolution by that kernel, and x the gradient of its result.
struct Convolved {
  Images x;
  int64_t out;
  const float *kernel, *bias;
  bool turned, relu, pool;
  float* y;
  uint8_t* corners;
};

// kernel [3, 3, in, out] and bias [out] = their gradients, from the inputs and the gradient of the result.
struct KernelGradient {
  Images inputs, gradient;
  float *kernel, *bias;
};

#define FUNCTIONS "winograd.inc"
#include "each_instruction_set.inc"

// The convolutions for one instruction set, by tiles of `tile` x `tile` results, 4 or 2.
struct Winograd {
  void (*convolve)(int64_t tile, const Convolved&);
  void (*kernel_gradient)(int64_t tile, const KernelGradient&);
};

inline Winograd winograd(InstructionSet set) {
#ifdef LTR_WIDER
  if (set == InstructionSet::kAvx512) return {avx512::convolve, avx512::kernel_gradient};
  if (set == InstructionSet::kAvx2) return {avx2::convolve, avx2::kernel_gradient};
#endif
  return {portable::convolve, portable::kernel_gradient};
}

}  // namespace ltr
