// The layers of fused.h as XLA calls them: shapes and indices are checked at every call, before memory is touched.

#include "fused.h"
#include "handlers.h"

namespace {

using Mask = ffi::Buffer<ffi::PRED, 2>;

const ltr::Fused fused = ltr::fused(ltr::instruction_sets().front());

float Float(double value) { return static_cast<float>(value); }

constexpr char kShapes[] = "dense layer: shapes that do not fit each other";
constexpr char kIndex[] = "dense layer: an index of an image is out of bounds";
constexpr char kPlaces[] = "dense layer: a result does not lie where its operand does";

template <typename Buffer>
bool Is(Buffer matrix, int64_t rows, int64_t columns) {
  return matrix.dimensions()[0] == rows && matrix.dimensions()[1] == columns;
}

// Sets `x` to the chosen images as rows. Returns what is wrong, or null.
const char* Rows(Bytes images, Indices chosen, Floats mean, Floats std, ltr::ByteRows* x) {
  const auto shape = images.dimensions();
  const int64_t count = chosen.dimensions()[0];
  if (mean.dimensions()[0] != 1 || std.dimensions()[0] != 1) return kShapes;
  const int32_t* begin = chosen.typed_data();
  const auto is_there = [&](int32_t image) { return image >= 0 && image < shape[0]; };
  if (!std::all_of(begin, begin + count, is_there)) return kIndex;
  *x = {count, shape[1] * shape[2] * shape[3], images.typed_data(), begin, mean.typed_data()[0],
        1 / std.typed_data()[0]};
  return nullptr;
}

ltr::FloatRows Rows(Matrix x) { return {x.dimensions()[0], x.dimensions()[1], x.typed_data()}; }

template <typename X>
ffi::Error Product(const X& x, void (*product)(const X&, const ltr::Product&), Matrix kernel, ffi::Result<Matrix> y) {
  const int64_t outputs = kernel.dimensions()[1];
  if (!Is(kernel, x.inputs, outputs) || !Is(*y, x.batch, outputs)) return Wrong(kShapes);
  product(x, {outputs, kernel.typed_data(), y->typed_data()});
  return ffi::Error::Success();
}

// Images, indices of a batch, mean, standard deviation, kernel -> product.
ffi::Error ProductOfBytes(Bytes images, Indices chosen, Floats mean, Floats std, Matrix kernel, ffi::Result<Matrix> y) {
  ltr::ByteRows x;
  if (const char* wrong = Rows(images, chosen, mean, std, &x)) return Wrong(wrong);
  return Product(x, fused.product_of_bytes, kernel, y);
}

// Inputs, kernel -> product.
ffi::Error ProductOfFloats(Matrix x, Matrix kernel, ffi::Result<Matrix> y) {
  return Product(Rows(x), fused.product_of_floats, kernel, y);
}

// Sets `step` to that of a kernel, which is both an operand and a result. Returns what is wrong, or null.
template <typename X>
const char* Step(const X& x, Matrix gradient, Mask kept, Matrix kernel, ffi::Result<Matrix> result,
                 ltr::KernelStep* step) {
  const int64_t outputs = gradient.dimensions()[1];
  if (!Is(gradient, x.batch, outputs) || !Is(kept, x.inputs, outputs) || !Is(*result, x.inputs, outputs)) {
    return kShapes;
  }
  if (result->typed_data() != kernel.typed_data()) return kPlaces;
  *step = {outputs, gradient.typed_data(), reinterpret_cast<const uint8_t*>(kept.typed_data()), result->typed_data()};
  return nullptr;
}

// Gradient of y, mask, learning rate with bias corrections, kernel, mean, variance -> kernel, mean, variance.
template <typename X>
ffi::Error AdamStep(const X& x, void (*step)(const X&, const ltr::KernelStep&, const ltr::Adam&), double b1, double b2,
                    double decay, Matrix gradient, Mask kept, Floats rates, Matrix kernel, Matrix mean, Matrix variance,
                    ffi::Result<Matrix> new_kernel, ffi::Result<Matrix> new_mean, ffi::Result<Matrix> new_variance) {
  ltr::KernelStep of;
  if (const char* wrong = Step(x, gradient, kept, kernel, new_kernel, &of)) return Wrong(wrong);
  if (!Is(*new_mean, x.inputs, of.outputs) || !Is(*new_variance, x.inputs, of.outputs) ||
      rates.dimensions()[0] != 3) {
    return Wrong(kShapes);
  }
  if (new_mean->typed_data() != mean.typed_data() || new_variance->typed_data() != variance.typed_data()) {
    return Wrong(kPlaces);
  }
  const float* rate = rates.typed_data();
  step(x, of, {Float(b1), Float(1 - b1), Float(b2), Float(1 - b2), Float(decay), rate[0], rate[1], rate[2],
               new_mean->typed_data(), new_variance->typed_data()});
  return ffi::Error::Success();
}

ffi::Error AdamStepOfBytes(double b1, double b2, double decay, Bytes images, Indices chosen, Floats mean, Floats std,
                           Matrix gradient, Mask kept, Floats rates, Matrix kernel, Matrix first, Matrix second,
                           ffi::Result<Matrix> new_kernel, ffi::Result<Matrix> new_first,
                           ffi::Result<Matrix> new_second) {
  ltr::ByteRows x;
  if (const char* wrong = Rows(images, chosen, mean, std, &x)) return Wrong(wrong);
  return AdamStep(x, fused.adam_of_bytes, b1, b2, decay, gradient, kept, rates, kernel, first, second, new_kernel,
                  new_first, new_second);
}

ffi::Error AdamStepOfFloats(double b1, double b2, double decay, Matrix x, Matrix gradient, Mask kept, Floats rates,
                            Matrix kernel, Matrix first, Matrix second, ffi::Result<Matrix> new_kernel,
                            ffi::Result<Matrix> new_first, ffi::Result<Matrix> new_second) {
  return AdamStep(Rows(x), fused.adam_of_floats, b1, b2, decay, gradient, kept, rates, kernel, first, second,
                  new_kernel, new_first, new_second);
}

// Gradient of y, mask, learning rate, kernel, trace (empty if there is none) -> kernel, trace.
template <typename X>
ffi::Error MomentumStep(const X& x, void (*step)(const X&, const ltr::KernelStep&, const ltr::Momentum&),
                        double momentum, double decay, Matrix gradient, Mask kept, Floats rates, Matrix kernel,
                        Matrix trace, ffi::Result<Matrix> new_kernel, ffi::Result<Matrix> new_trace) {
  ltr::KernelStep of;
  if (const char* wrong = Step(x, gradient, kept, kernel, new_kernel, &of)) return Wrong(wrong);
  const bool has_trace = trace.element_count() > 0;
  if ((has_trace && !Is(*new_trace, x.inputs, of.outputs)) || rates.dimensions()[0] != 1) return Wrong(kShapes);
  if (has_trace && new_trace->typed_data() != trace.typed_data()) return Wrong(kPlaces);
  step(x, of, {Float(momentum), Float(decay), rates.typed_data()[0], has_trace ? new_trace->typed_data() : nullptr});
  return ffi::Error::Success();
}

ffi::Error MomentumStepOfBytes(double momentum, double decay, Bytes images, Indices chosen, Floats mean, Floats std,
                               Matrix gradient, Mask kept, Floats rates, Matrix kernel, Matrix trace,
                               ffi::Result<Matrix> new_kernel, ffi::Result<Matrix> new_trace) {
  ltr::ByteRows x;
  if (const char* wrong = Rows(images, chosen, mean, std, &x)) return Wrong(wrong);
  return MomentumStep(x, fused.momentum_of_bytes, momentum, decay, gradient, kept, rates, kernel, trace, new_kernel,
                      new_trace);
}

ffi::Error MomentumStepOfFloats(double momentum, double decay, Matrix x, Matrix gradient, Mask kept, Floats rates,
                                Matrix kernel, Matrix trace, ffi::Result<Matrix> new_kernel,
                                ffi::Result<Matrix> new_trace) {
  return MomentumStep(Rows(x), fused.momentum_of_floats, momentum, decay, gradient, kept, rates, kernel, trace,
                      new_kernel, new_trace);
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_fused_product_of_bytes, ProductOfBytes,
                              ffi::Ffi::Bind()
                                  .Arg<Bytes>().Arg<Indices>().Arg<Floats>().Arg<Floats>().Arg<Matrix>()
                                  .Ret<Matrix>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_fused_product_of_floats, ProductOfFloats,
                              ffi::Ffi::Bind().Arg<Matrix>().Arg<Matrix>().Ret<Matrix>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_fused_adam_of_bytes, AdamStepOfBytes,
                              ffi::Ffi::Bind()
                                  .Attr<double>("b1").Attr<double>("b2").Attr<double>("decay")
                                  .Arg<Bytes>().Arg<Indices>().Arg<Floats>().Arg<Floats>()
                                  .Arg<Matrix>().Arg<Mask>().Arg<Floats>()
                                  .Arg<Matrix>().Arg<Matrix>().Arg<Matrix>()
                                  .Ret<Matrix>().Ret<Matrix>().Ret<Matrix>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_fused_adam_of_floats, AdamStepOfFloats,
                              ffi::Ffi::Bind()
                                  .Attr<double>("b1").Attr<double>("b2").Attr<double>("decay")
                                  .Arg<Matrix>()
                                  .Arg<Matrix>().Arg<Mask>().Arg<Floats>()
                                  .Arg<Matrix>().Arg<Matrix>().Arg<Matrix>()
                                  .Ret<Matrix>().Ret<Matrix>().Ret<Matrix>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_fused_momentum_of_bytes, MomentumStepOfBytes,
                              ffi::Ffi::Bind()
                                  .Attr<double>("momentum").Attr<double>("decay")
                                  .Arg<Bytes>().Arg<Indices>().Arg<Floats>().Arg<Floats>()
                                  .Arg<Matrix>().Arg<Mask>().Arg<Floats>()
                                  .Arg<Matrix>().Arg<Matrix>()
                                  .Ret<Matrix>().Ret<Matrix>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_fused_momentum_of_floats, MomentumStepOfFloats,
                              ffi::Ffi::Bind()
                                  .Attr<double>("momentum").Attr<double>("decay")
                                  .Arg<Matrix>()
                                  .Arg<Matrix>().Arg<Mask>().Arg<Floats>()
                                  .Arg<Matrix>().Arg<Matrix>()
                                  .Ret<Matrix>().Ret<Matrix>());
