// Batch normalisation as XLA calls it: shapes are checked at every call, before memory is touched.

#include "batch_norm.h"
#include "handlers.h"

namespace {

const ltr::BatchNorms batch_norms = ltr::batch_norms(ltr::instruction_sets().front());

constexpr char kShapes[] = "batch normalisation: shapes that do not fit each other";

template <typename Buffer>
bool Is(Buffer pixels, const ltr::Channels& of) {
  const auto shape = pixels.dimensions();
  return pixels.element_type() == ffi::F32 && shape.size() == 2 && shape[0] == of.pixels && shape[1] == of.channels;
}

template <typename... Vectors>
bool AreOf(const ltr::Channels& of, Vectors... vectors) {
  return of.channels > 0 && (... && (vectors.dimensions()[0] == of.channels));
}

ltr::Channels ChannelsOf(Matrix x, Floats scale, Floats shift, double epsilon) {
  const auto shape = x.dimensions();
  return {shape[0], shape[1], scale.typed_data(), shift.typed_data(), static_cast<float>(epsilon)};
}

// x, scale, shift, residual (empty if there is none) -> y, mean, variance.
ffi::Error Normalise(double epsilon, bool relu, Matrix x, Floats scale, Floats shift, ffi::AnyBuffer residual,
                     ffi::Result<Matrix> y, ffi::Result<Floats> mean, ffi::Result<Floats> variance) {
  const ltr::Channels of = ChannelsOf(x, scale, shift, epsilon);
  const bool has_residual = residual.element_count() > 0;
  if (!AreOf(of, scale, shift, *mean, *variance) || !Is(*y, of) || (has_residual && !Is(residual, of))) {
    return Wrong(kShapes);
  }
  batch_norms.normalise({of, x.typed_data(), has_residual ? residual.typed_data<float>() : nullptr, relu,
                         y->typed_data(), mean->typed_data(), variance->typed_data()});
  return ffi::Error::Success();
}

// Gradient of y, x, y after a residual and relu (empty otherwise), scale, shift, mean, variance -> gradients of x,
// scale and shift, and of the residual if there is y.
ffi::Error Gradient(double epsilon, bool relu, Matrix gradient, Matrix x, ffi::AnyBuffer y, Floats scale,
                    Floats shift, Floats mean, Floats variance, ffi::Result<Matrix> of_x,
                    ffi::Result<Floats> of_scale, ffi::Result<Floats> of_shift,
                    ffi::Result<ffi::AnyBuffer> of_residual) {
  const ltr::Channels of = ChannelsOf(x, scale, shift, epsilon);
  const bool has_residual = y.element_count() > 0;
  if (!AreOf(of, scale, shift, mean, variance, *of_scale, *of_shift) || !Is(gradient, of) || !Is(*of_x, of) ||
      (has_residual && !(relu && Is(y, of) && Is(*of_residual, of)))) {
    return Wrong(kShapes);
  }
  const ltr::After after = has_residual ? ltr::After::kResidualAndRelu
                           : relu       ? ltr::After::kRelu
                                        : ltr::After::kNothing;
  batch_norms.gradient({of, after, gradient.typed_data(), x.typed_data(),
                        has_residual ? y.typed_data<float>() : nullptr, mean.typed_data(), variance.typed_data(),
                        of_x->typed_data(), of_scale->typed_data(), of_shift->typed_data(),
                        has_residual ? of_residual->typed_data<float>() : nullptr});
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_batch_norm, Normalise,
                              ffi::Ffi::Bind()
                                  .Attr<double>("epsilon").Attr<bool>("relu")
                                  .Arg<Matrix>().Arg<Floats>().Arg<Floats>().Arg<ffi::AnyBuffer>()
                                  .Ret<Matrix>().Ret<Floats>().Ret<Floats>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_batch_norm_gradient, Gradient,
                              ffi::Ffi::Bind()
                                  .Attr<double>("epsilon").Attr<bool>("relu")
                                  .Arg<Matrix>().Arg<Matrix>().Arg<ffi::AnyBuffer>()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Ret<Matrix>().Ret<Floats>().Ret<Floats>().Ret<ffi::AnyBuffer>());
