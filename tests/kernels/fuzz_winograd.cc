// Winograd's convolutions of every instruction set that this processor has, against plain loops in double precision,
// on random shapes: compiled with the sanitizers (see test_sanitized.py).

#include "../../ltr/kernels/winograd.h"

#include "fuzz.h"

namespace {

using ltr::Through;

std::vector<uint8_t> bytes(int64_t count) {
  std::vector<uint8_t> found(count);
  for (uint8_t& value : found) value = static_cast<uint8_t>(drawn(0, 15));
  return found;
}

// A convolution; every array is as long as it must be and no longer.
struct Case {
  ltr::ImageShape shape{drawn(1, 9), drawn(1, 9), drawn(1, 9), drawn(1, 40)};
  int64_t out = drawn(1, 40), pixels = shape.batch * shape.height * shape.width;
  int64_t pooled_pixels = shape.batch * (shape.height / 2) * (shape.width / 2);
  std::vector<float> x = floats(pixels * shape.channels), kernel = floats(9 * shape.channels * out);
  std::vector<float> bias = floats(out), result = floats(pixels * out);

  // Calls `at` with the place of each product in the result, the kernel and the images.
  template <typename At>
  void each_product(At at) const {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      const int64_t image = pixel / (shape.height * shape.width);
      const int64_t row = pixel / shape.width % shape.height, column = pixel % shape.width;
      for (int64_t tap = 0; tap < 9; ++tap) {
        const int64_t from_row = row + tap / 3 - 1, from_column = column + tap % 3 - 1;
        if (from_row < 0 || from_row >= shape.height || from_column < 0 || from_column >= shape.width) continue;
        const int64_t from = (image * shape.height + from_row) * shape.width + from_column;
        for (int64_t input = 0; input < shape.channels; ++input) {
          for (int64_t output = 0; output < out; ++output) {
            at(pixel * out + output, (tap * shape.channels + input) * out + output,
               from * shape.channels + input);
          }
        }
      }
    }
  }

  // Where the value at `place` of the result goes when it is pooled (-1: it is dropped), and its corner.
  std::pair<int64_t, int> pooled(int64_t place) const {
    const int64_t output = place % out, pixel = place / out, image = pixel / (shape.height * shape.width);
    const int64_t row = pixel / shape.width % shape.height, column = pixel % shape.width;
    const int corner = static_cast<int>(2 * (row % 2) + column % 2);
    if (row / 2 >= shape.height / 2 || column / 2 >= shape.width / 2) return {-1, corner};
    const int64_t square = (image * (shape.height / 2) + row / 2) * (shape.width / 2) + column / 2;
    return {square * out + output, corner};
  }
};

void check_forward(const Case& of, const ltr::Winograd& winograd, int64_t tile, Through after) {
  std::vector<double> whole(of.result.size());
  for (size_t place = 0; place < whole.size(); ++place) whole[place] = of.bias[place % of.out];
  of.each_product([&](int64_t to, int64_t weight, int64_t from) {
    whole[to] += double{of.kernel[weight]} * of.x[from];
  });
  if (after != Through::kNothing) {
    for (double& value : whole) value = std::max(value, 0.0);
  }
  std::vector<double> expected = whole;
  if (after == Through::kPooling) {
    expected.assign(of.pooled_pixels * of.out, 0.0);
    for (size_t place = 0; place < whole.size(); ++place) {
      const int64_t to = of.pooled(place).first;
      if (to >= 0) expected[to] = std::max(expected[to], whole[place]);
    }
  }
  std::vector<float> y(expected.size());
  std::vector<uint8_t> corners(expected.size());
  winograd.convolve(tile, {{of.shape, of.x.data()},
                           of.out,
                           of.kernel.data(),
                           of.bias.data(),
                           false,
                           after != Through::kNothing,
                           after == Through::kPooling,
                           y.data(),
                           corners.data()});
  require(close(y, expected), "convolutions differ", ltr::name(set));
  if (after != Through::kPooling) return;
  for (size_t place = 0; place < whole.size(); ++place) {
    const auto [to, corner] = of.pooled(place);
    const bool is_set = to >= 0 && (corners[to] >> corner & 1);
    require(!is_set || std::abs(whole[place] - expected[to]) < 1e-2, "a corner is not the largest", ltr::name(set));
  }
  for (size_t to = 0; to < y.size(); ++to) {
    require((corners[to] != 0) == (y[to] > 0.0f), "positive results without corners", ltr::name(set));
  }
}

void check_gradients(const Case& of, const ltr::Winograd& winograd, int64_t tile, Through after) {
  const bool pools = after == Through::kPooling;
  const std::vector<float> gradient = floats((pools ? of.pooled_pixels : of.pixels) * of.out);
  const std::vector<uint8_t> corners = bytes(gradient.size());
  std::vector<double> through(of.result.size());
  for (size_t place = 0; place < through.size(); ++place) {
    if (!pools) {
      through[place] = after == Through::kRelu && of.result[place] <= 0.0f ? 0.0 : gradient[place];
      continue;
    }
    const auto [from, corner] = of.pooled(place);
    if (from < 0 || !(corners[from] >> corner & 1)) continue;
    through[place] = double{gradient[from]} / __builtin_popcount(corners[from]);
  }
  std::vector<double> right_x(of.x.size()), right_kernel(of.kernel.size()), right_bias(of.out);
  for (size_t place = 0; place < through.size(); ++place) right_bias[place % of.out] += through[place];
  of.each_product([&](int64_t to, int64_t weight, int64_t from) {
    right_x[from] += through[to] * of.kernel[weight];
    right_kernel[weight] += through[to] * of.x[from];
  });
  ltr::ImageShape shape = of.shape;
  shape.channels = of.out;
  const ltr::Images images{shape, gradient.data(), after, of.result.data(), corners.data()};
  std::vector<float> x(of.x.size()), kernel(of.kernel.size()), bias(of.out);
  winograd.convolve(tile, {images, of.shape.channels, of.kernel.data(), nullptr, true, false, false, x.data(), nullptr});
  winograd.kernel_gradient(tile, {{of.shape, of.x.data()}, images, kernel.data(), bias.data()});
  require(close(x, right_x), "gradients of images differ", ltr::name(set));
  require(close(kernel, right_kernel), "gradients of kernels differ", ltr::name(set));
  require(close(bias, right_bias), "gradients of biases differ", ltr::name(set));
}

}  // namespace

int main() {
  for (const ltr::InstructionSet current : ltr::instruction_sets()) {
    set = current;
    for (int turn = 0; turn < 60; ++turn) {
      const Case of;
      for (const int64_t tile : {2, 4}) {
        for (const Through after : {Through::kNothing, Through::kRelu, Through::kPooling}) {
          check_forward(of, ltr::winograd(set), tile, after);
          check_gradients(of, ltr::winograd(set), tile, after);
        }
      }
    }
    std::printf("%s\n", ltr::name(set));
  }
}
