// Handlers through which XLA calls the products. They check shapes and indices at every call, before use.
//
// For XLA a batch has shape [batch, units] and images [batch, height, width, channels]. In memory they are
// [units, batch] and [height, width, channels, batch]: ltr/kernels/sparse.py requests these layouts, so that
// nothing is transposed between layers.

#include <cmath>

#include "convolution.h"
#include "handlers.h"
#include "select.h"
#include "sort.h"

namespace {

using Batch = Matrix;
using Lines = ffi::Buffer<ffi::U32, 2>;
using Words = ffi::Buffer<ffi::U32, 1>;
using Kept = ffi::Buffer<ffi::PRED, 1>;
using Number = ffi::Buffer<ffi::S32, 0>;

const ltr::InstructionSet instruction_set = ltr::instruction_sets().front();
const ltr::Products products = ltr::products(instruction_set);

constexpr char kShapes[] = "sparse product: shapes that do not fit each other";
constexpr char kPattern[] = "sparse product: not a pattern of its kernel";

int64_t rows(Batch batch) { return batch.dimensions()[0]; }
int64_t units(Batch batch) { return batch.dimensions()[1]; }
int64_t length(Floats floats) { return floats.dimensions()[0]; }
int64_t length(Indices indices) { return indices.dimensions()[0]; }

// Returns whether the arrays have the right lengths for a layer with this number of outputs.
bool IsLayer(int64_t outputs, Floats values, Floats bias, Indices starts, Indices columns) {
  return length(starts) == outputs + 1 && length(bias) == outputs && length(columns) == length(values);
}

bool IsPattern(Indices starts, Indices columns, int64_t bound) {
  return products.is_pattern(starts.typed_data(), length(starts) - 1, columns.typed_data(), length(columns), bound);
}

// x, values, bias, pattern -> y.
ffi::Error Forward(Batch x, Floats values, Floats bias, Indices starts, Indices columns,
                   ffi::Result<Batch> y) {
  if (rows(*y) != rows(x) || !IsLayer(units(*y), values, bias, starts, columns)) return Wrong(kShapes);
  if (!IsPattern(starts, columns, units(x))) return Wrong(kPattern);
  products.weighted({units(*y), rows(x), starts.typed_data(), columns.typed_data(), nullptr,
                     values.typed_data(), bias.typed_data(), x.typed_data(), y->typed_data()});
  return ffi::Error::Success();
}

// Gradient of y, values, transposed pattern, order of the values in it -> gradient of x.
ffi::Error OfInputs(Batch gradient, Floats values, Indices starts, Indices columns, Indices order,
                    ffi::Result<Batch> of_x) {
  if (rows(*of_x) != rows(gradient) || length(starts) != units(*of_x) + 1 ||
      length(columns) != length(values) || length(order) != length(values)) {
    return Wrong(kShapes);
  }
  if (!IsPattern(starts, columns, units(gradient)) || !IsPattern(starts, order, length(values))) {
    return Wrong(kPattern);
  }
  products.weighted({units(*of_x), rows(gradient), starts.typed_data(), columns.typed_data(),
                     order.typed_data(), values.typed_data(), nullptr, gradient.typed_data(),
                     of_x->typed_data()});
  return ffi::Error::Success();
}

// x, gradient of y, pattern -> gradients of the values (zero in the padding) and of the bias.
ffi::Error OfWeights(Batch x, Batch gradient, Indices starts, Indices columns, ffi::Result<Floats> of_values,
                     ffi::Result<Floats> of_bias) {
  if (rows(gradient) != rows(x) || !IsLayer(units(gradient), *of_values, *of_bias, starts, columns)) {
    return Wrong(kShapes);
  }
  if (!IsPattern(starts, columns, units(x))) return Wrong(kPattern);
  float* values = of_values->typed_data();
  products.dots({units(gradient), rows(x), starts.typed_data(), columns.typed_data(), nullptr,
                 gradient.typed_data(), x.typed_data(), values, of_bias->typed_data(), false});
  std::fill(values + starts.typed_data()[units(gradient)], values + length(*of_values), 0.0f);
  return ffi::Error::Success();
}

ltr::Convolution Shapes(Images x, Images y, int64_t size, int64_t stride) {
  const auto in = x.dimensions(), out = y.dimensions();
  return {in[0], in[1], in[2], in[3], out[3], size, stride};
}

bool Fits(const ltr::Convolution& of, Images y) {
  const auto out = y.dimensions();
  return of.size % 2 == 1 && of.size > 0 && of.stride > 0 && out[0] == of.batch &&
         out[1] == of.out_height() && out[2] == of.out_width();
}

ltr::SparseKernel Kernel(Floats values, Floats bias, Indices starts, Indices columns) {
  return {starts.typed_data(), columns.typed_data(), values.typed_data(), bias.typed_data()};
}

// Images, values, bias, pattern -> images.
ffi::Error Convolve(int64_t size, int64_t stride, bool relu, Images x, Floats values, Floats bias, Indices starts,
                    Indices columns, ffi::Result<Images> y) {
  const ltr::Convolution of = Shapes(x, *y, size, stride);
  if (!Fits(of, *y) || !IsLayer(of.out, values, bias, starts, columns)) return Wrong(kShapes);
  if (!IsPattern(starts, columns, size * size * of.in)) return Wrong(kPattern);
  ltr::convolve(products, of, Kernel(values, bias, starts, columns), x.typed_data(), relu, y->typed_data());
  return ffi::Error::Success();
}

// Returns whether both arrays have the shape of images of these dimensions after pooling.
bool ArePooled(int64_t batch, int64_t height, int64_t width, int64_t channels, Images pooled, Bytes corners) {
  const auto is_pooled = [&](auto shape) {
    return shape[0] == batch && shape[1] == height / 2 && shape[2] == width / 2 && shape[3] == channels;
  };
  return is_pooled(pooled.dimensions()) && is_pooled(corners.dimensions());
}

// Images, values, bias, pattern -> images, pooled after relu, and their corners.
ffi::Error ConvolvePooled(int64_t size, int64_t stride, Images x, Floats values, Floats bias, Indices starts,
                          Indices columns, ffi::Result<Images> y, ffi::Result<Bytes> corners) {
  const ltr::Convolution of = Shapes(x, *y, size, stride);
  if (of.size % 2 != 1 || of.size <= 0 || of.stride <= 0) return Wrong(kShapes);
  if (!ArePooled(of.batch, of.out_height(), of.out_width(), of.out, *y, *corners)) return Wrong(kShapes);
  if (!IsLayer(of.out, values, bias, starts, columns)) return Wrong(kShapes);
  if (!IsPattern(starts, columns, size * size * of.in)) return Wrong(kPattern);
  ltr::convolve_pooled(products, of, Kernel(values, bias, starts, columns), x.typed_data(), y->typed_data(),
                       corners->typed_data());
  return ffi::Error::Success();
}

// Gradient of pooled images, their corners -> gradient of the images.
ffi::Error Unpool(Images gradient, Bytes corners, ffi::Result<Images> unpooled) {
  const auto to = unpooled->dimensions();
  if (!ArePooled(to[0], to[1], to[2], to[3], gradient, corners)) return Wrong(kShapes);
  ltr::unpool(products, to[1], to[2], to[3] * to[0], gradient.typed_data(), corners.typed_data(),
              unpooled->typed_data());
  return ffi::Error::Success();
}

// Gradient of y, values, transposed pattern, order of the values in it -> gradient of x.
ffi::Error OfImages(int64_t size, int64_t stride, Images gradient, Floats values, Indices starts,
                    Indices columns, Indices order, ffi::Result<Images> of_x) {
  const ltr::Convolution of = Shapes(*of_x, gradient, size, stride);
  if (!Fits(of, gradient) || length(starts) != size * size * of.in + 1 ||
      length(columns) != length(values) || length(order) != length(values)) {
    return Wrong(kShapes);
  }
  if (!IsPattern(starts, columns, of.out) || !IsPattern(starts, order, length(values))) return Wrong(kPattern);
  ltr::of_images(products, of, starts.typed_data(), columns.typed_data(), order.typed_data(),
                 values.typed_data(), gradient.typed_data(), of_x->typed_data());
  return ffi::Error::Success();
}

// x, gradient of y, pattern -> gradients of the values (zero in the padding) and of the bias.
ffi::Error OfKernel(int64_t size, int64_t stride, Images x, Images gradient, Indices starts, Indices columns,
                    ffi::Result<Floats> of_values, ffi::Result<Floats> of_bias) {
  const ltr::Convolution of = Shapes(x, gradient, size, stride);
  if (!Fits(of, gradient) || !IsLayer(of.out, *of_values, *of_bias, starts, columns)) return Wrong(kShapes);
  if (!IsPattern(starts, columns, size * size * of.in)) return Wrong(kPattern);
  std::fill_n(of_values->typed_data(), length(*of_values), 0.0f);
  std::fill_n(of_bias->typed_data(), length(*of_bias), 0.0f);
  ltr::of_kernel(products, of, starts.typed_data(), columns.typed_data(), x.typed_data(),
                 gradient.typed_data(), of_values->typed_data(), of_bias->typed_data());
  return ffi::Error::Success();
}

// Returns the integer that is subtracted from pixels.
float Centre(Floats mean) { return std::nearbyint(std::clamp(mean.typed_data()[0], 0.0f, 255.0f)); }

// Images, bytes [count, height, width, 1]; indices of a batch; indices of the batch to prefetch, or none; mean
// -> pixels of the batch, [words, pixels].
ffi::Error Pixels(Bytes images, Indices chosen, Indices coming, Floats mean, ffi::Result<Lines> words) {
  const auto in = images.dimensions(), out = words->dimensions();
  const int64_t batch = length(chosen), pixels = in[1] * in[2] * in[3];
  if (out[0] != ltr::lines_of(batch) * ltr::LINE_WORDS || out[1] != pixels) return Wrong(kShapes);
  if ((length(coming) != 0 && length(coming) != batch) || length(mean) != 1) return Wrong(kShapes);
  for (const Indices& those : {chosen, coming}) {
    const int32_t* begin = those.typed_data();
    const auto is_there = [&](int32_t image) { return image >= 0 && image < in[0]; };
    if (!std::all_of(begin, begin + length(those), is_there)) return Wrong("images: an index is out of bounds");
  }
  const int32_t* next = length(coming) ? coming.typed_data() : nullptr;
  products.pixels({batch, pixels, images.typed_data(), chosen.typed_data(), next,
                   static_cast<int32_t>(Centre(mean)), words->typed_data()});
  return ffi::Error::Success();
}

bool Fits(Lines x, Floats mean, Floats std, Batch y) {
  return rows(y) > 0 && x.dimensions()[0] == ltr::lines_of(rows(y)) * ltr::LINE_WORDS &&
         length(mean) == 1 && length(std) == 1;
}

ltr::Pixels Normalised(Lines x, Floats mean, Floats std, Batch y) {
  return {rows(y), x.typed_data(), mean.typed_data()[0] - Centre(mean), 1 / std.typed_data()[0]};
}

// Pixels, their mean and standard deviation, values, bias, pattern -> y.
ffi::Error ForwardPixels(Lines x, Floats mean, Floats std, Floats values, Floats bias, Indices starts,
                         Indices columns, ffi::Result<Batch> y) {
  if (!Fits(x, mean, std, *y) || !IsLayer(units(*y), values, bias, starts, columns)) return Wrong(kShapes);
  if (!IsPattern(starts, columns, x.dimensions()[1])) return Wrong(kPattern);
  products.weighted_pixels({units(*y), starts.typed_data(), columns.typed_data(), values.typed_data(),
                            bias.typed_data(), Normalised(x, mean, std, *y), y->typed_data()});
  return ffi::Error::Success();
}

// Pixels, their mean and standard deviation, gradient of y, pattern -> gradients of the values (zero in the
// padding) and of the bias.
ffi::Error OfWeightsPixels(Lines x, Floats mean, Floats std, Batch gradient, Indices starts, Indices columns,
                           ffi::Result<Floats> of_values, ffi::Result<Floats> of_bias) {
  if (!Fits(x, mean, std, gradient) || !IsLayer(units(gradient), *of_values, *of_bias, starts, columns)) {
    return Wrong(kShapes);
  }
  if (!IsPattern(starts, columns, x.dimensions()[1])) return Wrong(kPattern);
  float* values = of_values->typed_data();
  products.dots_pixels({units(gradient), starts.typed_data(), columns.typed_data(), gradient.typed_data(),
                        Normalised(x, mean, std, gradient), values, of_bias->typed_data()});
  std::fill(values + starts.typed_data()[units(gradient)], values + length(*of_values), 0.0f);
  return ffi::Error::Success();
}

// x [rows, columns] -> its transpose, both row by row in memory.
ffi::Error Transpose(Batch x, ffi::Result<Batch> y) {
  if (rows(*y) != units(x) || units(*y) != rows(x)) return Wrong(kShapes);
  products.transpose(rows(x), units(x), x.typed_data(), y->typed_data());
  return ffi::Error::Success();
}

// Words -> words in ascending order.
ffi::Error Sort(Words words, ffi::Result<Words> sorted) {
  const int64_t count = words.dimensions()[0];
  if (sorted->dimensions()[0] != count) return Wrong("sort: shapes that do not fit each other");
  ltr::sort(count, words.typed_data(), sorted->typed_data());
  return ffi::Error::Success();
}

// Ranks, which of them are kept, number to keep -> the lowest of those.
ffi::Error NthHighest(Indices ranks, Kept kept, Number count, ffi::Result<Number> lowest) {
  if (kept.dimensions()[0] != length(ranks)) return Wrong("selection: shapes that do not fit each other");
  lowest->typed_data()[0] =
      ltr::nth_highest(length(ranks), ranks.typed_data(), kept.typed_data(), count.typed_data()[0]);
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    ltr_forward, Forward,
    ffi::Ffi::Bind().Arg<Batch>().Arg<Floats>().Arg<Floats>().Arg<Indices>().Arg<Indices>().Ret<Batch>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    ltr_of_inputs, OfInputs,
    ffi::Ffi::Bind().Arg<Batch>().Arg<Floats>().Arg<Indices>().Arg<Indices>().Arg<Indices>().Ret<Batch>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    ltr_of_weights, OfWeights,
    ffi::Ffi::Bind().Arg<Batch>().Arg<Batch>().Arg<Indices>().Arg<Indices>().Ret<Floats>().Ret<Floats>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_pixels, Pixels,
                              ffi::Ffi::Bind()
                                  .Arg<Bytes>().Arg<Indices>().Arg<Indices>().Arg<Floats>()
                                  .Ret<Lines>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_forward_pixels, ForwardPixels,
                              ffi::Ffi::Bind()
                                  .Arg<Lines>().Arg<Floats>().Arg<Floats>()
                                  .Arg<Floats>().Arg<Floats>().Arg<Indices>().Arg<Indices>()
                                  .Ret<Batch>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_of_weights_pixels, OfWeightsPixels,
                              ffi::Ffi::Bind()
                                  .Arg<Lines>().Arg<Floats>().Arg<Floats>()
                                  .Arg<Batch>().Arg<Indices>().Arg<Indices>()
                                  .Ret<Floats>().Ret<Floats>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_transpose, Transpose, ffi::Ffi::Bind().Arg<Batch>().Ret<Batch>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_sort, Sort, ffi::Ffi::Bind().Arg<Words>().Ret<Words>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_nth_highest, NthHighest,
                              ffi::Ffi::Bind().Arg<Indices>().Arg<Kept>().Arg<Number>().Ret<Number>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_convolve, Convolve,
                              ffi::Ffi::Bind()
                                  .Attr<int64_t>("size").Attr<int64_t>("stride").Attr<bool>("relu")
                                  .Arg<Images>().Arg<Floats>().Arg<Floats>().Arg<Indices>().Arg<Indices>()
                                  .Ret<Images>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_convolve_pooled, ConvolvePooled,
                              ffi::Ffi::Bind()
                                  .Attr<int64_t>("size").Attr<int64_t>("stride")
                                  .Arg<Images>().Arg<Floats>().Arg<Floats>().Arg<Indices>().Arg<Indices>()
                                  .Ret<Images>().Ret<Bytes>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_unpool, Unpool, ffi::Ffi::Bind().Arg<Images>().Arg<Bytes>().Ret<Images>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_of_images, OfImages,
                              ffi::Ffi::Bind()
                                  .Attr<int64_t>("size").Attr<int64_t>("stride")
                                  .Arg<Images>().Arg<Floats>().Arg<Indices>().Arg<Indices>().Arg<Indices>()
                                  .Ret<Images>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(ltr_of_kernel, OfKernel,
                              ffi::Ffi::Bind()
                                  .Attr<int64_t>("size").Attr<int64_t>("stride")
                                  .Arg<Images>().Arg<Images>().Arg<Indices>().Arg<Indices>()
                                  .Ret<Floats>().Ret<Floats>());

extern "C" const char* ltr_instruction_set() { return ltr::name(instruction_set); }
