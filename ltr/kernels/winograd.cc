// The convolutions of winograd.h as XLA calls them: shapes are checked at every call, before memory is touched.

#include "handlers.h"
#include "winograd.h"

namespace {

using Kernel = Images;

const ltr::Winograd winograd = ltr::winograd(ltr::instruction_sets().front());

constexpr char kShapes[] = "convolution: shapes that do not fit each other";

bool IsTile(int64_t tile) { return tile == 2 || tile == 4; }

template <typename Buffer>
bool Is(Buffer images, int64_t batch, int64_t height, int64_t width, int64_t channels) {
  const auto shape = images.dimensions();
  return shape[0] == batch && shape[1] == height && shape[2] == width && shape[3] == channels;
}

template <typename Buffer>
bool IsOf(Buffer images, const ltr::ImageShape& shape) {
  return Is(images, shape.batch, shape.height, shape.width, shape.channels);
}

template <typename Buffer>
bool IsPooled(Buffer images, const ltr::ImageShape& shape) {
  return Is(images, shape.batch, shape.height / 2, shape.width / 2, shape.channels);
}

ltr::ImageShape ShapeOf(Images images) {
  const auto shape = images.dimensions();
  return {shape[0], shape[1], shape[2], shape[3]};
}

ltr::Images Plain(Images images) { return {ShapeOf(images), images.typed_data()}; }

ltr::ImageShape WithChannels(ltr::ImageShape shape, int64_t channels) {
  shape.channels = channels;
  return shape;
}

// x, kernel, bias -> y.
ffi::Error Convolve(int64_t tile, bool relu, Images x, Kernel kernel, Floats bias, ffi::Result<Images> y) {
  const ltr::ImageShape shape = ShapeOf(x);
  const int64_t out = bias.dimensions()[0];
  if (!IsTile(tile) || !Is(kernel, 3, 3, shape.channels, out) || !IsOf(*y, WithChannels(shape, out))) {
    return Wrong(kShapes);
  }
  winograd.convolve(tile, {Plain(x), out, kernel.typed_data(), bias.typed_data(), false, relu, false,
                           y->typed_data(), nullptr});
  return ffi::Error::Success();
}

// x, kernel, bias -> y after relu and pooling, and the corners that it came from.
ffi::Error ConvolvePooled(int64_t tile, Images x, Kernel kernel, Floats bias, ffi::Result<Images> y,
                          ffi::Result<Bytes> corners) {
  const int64_t out = bias.dimensions()[0];
  const ltr::ImageShape shape = ShapeOf(x), result = WithChannels(shape, out);
  if (!IsTile(tile) || !Is(kernel, 3, 3, shape.channels, out) || !IsPooled(*y, result) ||
      !IsPooled(*corners, result)) {
    return Wrong(kShapes);
  }
  winograd.convolve(tile, {Plain(x), out, kernel.typed_data(), bias.typed_data(), false, true, true,
                           y->typed_data(), corners->typed_data()});
  return ffi::Error::Success();
}

// Sets `images` to the gradient of a result of this shape: through relu if `y` is that result, through pooling if
// it is its corners, through nothing if it is an empty vector. Returns whether the shapes fit.
bool Through(Images gradient, ffi::AnyBuffer y, const ltr::ImageShape& shape, ltr::Images* images) {
  *images = {shape, gradient.typed_data()};
  if (y.dimensions().size() != 4) return y.element_count() == 0 && IsOf(gradient, shape);
  if (y.element_type() == ffi::F32) {
    images->through = ltr::Through::kRelu;
    images->relu = y.typed_data<float>();
    return IsOf(y, shape) && IsOf(gradient, shape);
  }
  if (y.element_type() != ffi::U8) return false;
  images->through = ltr::Through::kPooling;
  images->corners = y.typed_data<uint8_t>();
  return IsPooled(y, shape) && IsPooled(gradient, shape);
}

// The gradient of y, what it went through, and the kernel -> the gradient of x.
ffi::Error InputGradient(int64_t tile, Images gradient, ffi::AnyBuffer y, Kernel kernel, ffi::Result<Images> x) {
  const ltr::ImageShape shape = ShapeOf(*x);
  const int64_t out = gradient.dimensions()[3];
  ltr::Images images;
  if (!IsTile(tile) || !Is(kernel, 3, 3, shape.channels, out) ||
      !Through(gradient, y, WithChannels(shape, out), &images)) {
    return Wrong(kShapes);
  }
  winograd.convolve(tile, {images, shape.channels, kernel.typed_data(), nullptr, true, false, false,
                           x->typed_data(), nullptr});
  return ffi::Error::Success();
}

// x, the gradient of y and what it went through -> the gradients of kernel and bias.
ffi::Error KernelGradient(int64_t tile, Images x, Images gradient, ffi::AnyBuffer y, ffi::Result<Kernel> kernel,
                          ffi::Result<Floats> bias) {
  const ltr::ImageShape shape = ShapeOf(x);
  const int64_t out = gradient.dimensions()[3];
  ltr::Images images;
  if (!IsTile(tile) || !Is(*kernel, 3, 3, shape.channels, out) || bias->dimensions()[0] != out ||
      !Through(gradient, y, WithChannels(shape, out), &images)) {
    return Wrong(kShapes);
  }
  winograd.kernel_gradient(tile, {Plain(x), images, kernel->typed_data(), bias->typed_data()});
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_winograd, Convolve,
                              ffi::Ffi::Bind()
                                  .Attr<int64_t>("tile").Attr<bool>("relu")
                                  .Arg<Images>().Arg<Images>().Arg<Floats>()
                                  .Ret<Images>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_winograd_pooled, ConvolvePooled,
                              ffi::Ffi::Bind()
                                  .Attr<int64_t>("tile")
                                  .Arg<Images>().Arg<Images>().Arg<Floats>()
                                  .Ret<Images>().Ret<Bytes>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_winograd_of_inputs, InputGradient,
                              ffi::Ffi::Bind()
                                  .Attr<int64_t>("tile")
                                  .Arg<Images>().Arg<ffi::AnyBuffer>().Arg<Images>()
                                  .Ret<Images>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_winograd_of_kernel, KernelGradient,
                              ffi::Ffi::Bind()
                                  .Attr<int64_t>("tile")
                                  .Arg<Images>().Arg<Images>().Arg<ffi::AnyBuffer>()
                                  .Ret<Images>().Ret<Floats>());
