// The products of every instruction set that this processor has, against plain loops, on random patterns:
// compiled with the sanitizers (see test_sanitized.py), so that a read or write out of bounds ends it.

#include "../../ltr/kernels/convolution.h"
#include "../../ltr/kernels/sort.h"

#include "fuzz.h"

namespace {

// A layer with random connections; every vector is as long as it must be and no longer.
struct Layer {
  int64_t batch = drawn(1, 200), inputs = drawn(1, 30), outputs = drawn(1, 20);
  std::vector<int32_t> starts{0}, columns, order;
  std::vector<float> x = floats(inputs * batch), gradient = floats(outputs * batch), bias = floats(outputs);
  std::vector<float> values;

  Layer() {
    const int64_t density = drawn(0, 10);
    for (int64_t output = 0; output < outputs; ++output) {
      for (int64_t input = 0; input < inputs; ++input) {
        if (drawn(1, 10) <= density) columns.push_back(static_cast<int32_t>(input));
      }
      starts.push_back(static_cast<int32_t>(columns.size()));
    }
    values = floats(static_cast<int64_t>(columns.size()));
    order.resize(columns.size());
    for (size_t at = 0; at < order.size(); ++at) order[at] = static_cast<int32_t>(order.size() - 1 - at);
  }
};

void check_weighted(const Layer& of, const ltr::Products& products, bool with_order, bool with_bias) {
  std::vector<float> y(of.outputs * of.batch);
  products.weighted({of.outputs, of.batch, of.starts.data(), of.columns.data(),
                     with_order ? of.order.data() : nullptr, of.values.data(),
                     with_bias ? of.bias.data() : nullptr, of.x.data(), y.data()});
  std::vector<double> expected(y.size());
  for (int64_t row = 0; row < of.outputs; ++row) {
    for (int64_t at = 0; at < of.batch; ++at) {
      double sum = with_bias ? of.bias[row] : 0;
      for (int32_t k = of.starts[row]; k < of.starts[row + 1]; ++k) {
        sum += double{of.values[with_order ? of.order[k] : k]} * of.x[of.columns[k] * of.batch + at];
      }
      expected[row * of.batch + at] = sum;
    }
  }
  require(close(y, expected), "weighted sums differ", ltr::name(set));
}

void check_dots(const Layer& of, const ltr::Products& products) {
  std::vector<float> values(of.values.size()), bias(of.outputs);
  products.dots({of.outputs, of.batch, of.starts.data(), of.columns.data(), nullptr, of.gradient.data(),
                 of.x.data(), values.data(), bias.data(), false});
  std::vector<double> of_values(values.size()), of_bias(bias.size());
  for (int64_t row = 0; row < of.outputs; ++row) {
    for (int64_t at = 0; at < of.batch; ++at) {
      const double gradient = of.gradient[row * of.batch + at];
      of_bias[row] += gradient;
      for (int32_t k = of.starts[row]; k < of.starts[row + 1]; ++k) {
        of_values[k] += gradient * of.x[of.columns[k] * of.batch + at];
      }
    }
  }
  require(close(values, of_values) && close(bias, of_bias), "dot products differ", ltr::name(set));
}

float float_of(uint32_t bits) {
  float found;
  std::memcpy(&found, &bits, sizeof found);
  return found;
}

// Images laid out, and a layer of them with its gradient; every vector is as long as it must be and no longer.
void check_pixels(const Layer& of, const ltr::Products& products) {
  const int64_t count = drawn(1, 30), lines = ltr::lines_of(of.batch);
  std::vector<uint8_t> images(count * of.inputs);
  std::vector<int32_t> chosen(of.batch), coming(of.batch);
  for (uint8_t& byte : images) byte = static_cast<uint8_t>(drawn(0, 255));
  for (int32_t& image : chosen) image = static_cast<int32_t>(drawn(0, count - 1));
  for (int32_t& image : coming) image = static_cast<int32_t>(drawn(0, count - 1));
  std::vector<uint32_t> words(of.inputs * lines * ltr::LINE_WORDS);
  const int32_t centre = static_cast<int32_t>(drawn(0, 255));
  products.pixels({of.batch, of.inputs, images.data(), chosen.data(), drawn(0, 1) ? coming.data() : nullptr,
                   centre, words.data()});
  const auto pixel_of = [&](int64_t example, int64_t input) {
    return example < of.batch ? images[chosen[example] * of.inputs + input] - centre : 0;
  };
  for (int64_t input = 0; input < of.inputs; ++input) {
    for (int64_t example = 0; example < lines * ltr::LINE; ++example) {
      const int64_t line = example / ltr::LINE, place = example % ltr::LINE;
      const uint32_t word = words[(input * lines + line) * ltr::LINE_WORDS + place % ltr::LINE_WORDS];
      const float found = float_of(place < ltr::LINE_WORDS ? word << 16 : word & 0xffff0000u);
      require(found == pixel_of(example, input), "pixels differ", ltr::name(set));
    }
  }
  const ltr::Pixels x{of.batch, words.data(), 0.3f, 1 / 78.6f};
  std::vector<float> y(of.outputs * of.batch), values(of.values.size()), bias(of.outputs);
  products.weighted_pixels({of.outputs, of.starts.data(), of.columns.data(), of.values.data(), of.bias.data(), x,
                            y.data()});
  products.dots_pixels({of.outputs, of.starts.data(), of.columns.data(), of.gradient.data(), x, values.data(),
                        bias.data()});
  std::vector<double> right_y(y.size()), right_values(values.size()), right_bias(bias.size());
  for (int64_t row = 0; row < of.outputs; ++row) {
    for (int64_t at = 0; at < of.batch; ++at) {
      const double gradient = of.gradient[row * of.batch + at];
      right_y[row * of.batch + at] = of.bias[row];
      right_bias[row] += gradient;
      for (int32_t k = of.starts[row]; k < of.starts[row + 1]; ++k) {
        const double pixel = (pixel_of(at, of.columns[k]) - double{x.mean}) * x.scale;
        right_y[row * of.batch + at] += of.values[k] * pixel;
        right_values[k] += gradient * pixel;
      }
    }
  }
  require(close(y, right_y), "weighted sums of pixels differ", ltr::name(set));
  require(close(values, right_values) && close(bias, right_bias), "dot products of pixels differ", ltr::name(set));
}

void check_sort() {
  std::vector<uint32_t> words(drawn(0, 3000)), found(words.size());
  for (uint32_t& word : words) word = engine();
  ltr::sort(static_cast<int64_t>(words.size()), words.data(), found.data());
  std::sort(words.begin(), words.end());
  require(found == words, "words are not in order", "sort");
}

// A convolution with relu, one with pooling after it, and the gradient of the pooling, against `y`, that without.
void check_pooling(const ltr::Products& products, const ltr::Convolution& of, const ltr::SparseKernel& kernel,
                   const std::vector<float>& x, const std::vector<float>& y) {
  const int64_t pixel = of.out * of.batch, height = of.out_height() / 2, width = of.out_width() / 2;
  std::vector<float> positive(y.size()), pooled(height * width * pixel), unpooled(y.size());
  std::vector<uint8_t> corners(pooled.size());
  ltr::convolve(products, of, kernel, x.data(), true, positive.data());
  ltr::convolve_pooled(products, of, kernel, x.data(), pooled.data(), corners.data());
  for (size_t at = 0; at < y.size(); ++at) {
    require(positive[at] == std::max(y[at], 0.0f), "convolutions with relu differ", ltr::name(set));
  }
  const std::vector<float> gradient = floats(pooled.size());
  ltr::unpool(products, of.out_height(), of.out_width(), pixel, gradient.data(), corners.data(), unpooled.data());
  std::vector<double> expected(y.size());
  for (size_t at = 0; at < pooled.size(); ++at) {
    const int64_t square = at / pixel, row = square / width * 2, column = square % width * 2;
    size_t places[4];
    for (int64_t corner = 0; corner < 4; ++corner) {
      places[corner] = ((row + corner / 2) * of.out_width() + column + corner % 2) * pixel + at % pixel;
    }
    const auto is_largest = [&](size_t place) { return positive[place] == pooled[at]; };
    const auto number = std::count_if(places, places + 4, is_largest);
    require(number > 0, "a pooled pixel is none of its square", ltr::name(set));
    for (const size_t place : places) {
      require(positive[place] <= pooled[at], "a pooled pixel is not the largest", ltr::name(set));
      if (pooled[at] > 0 && is_largest(place)) expected[place] = gradient[at] / double(number);
    }
  }
  require(close(unpooled, expected), "gradients of pooling differ", ltr::name(set));
}

// A convolution and its gradients; every vector is as long as it must be and no longer.
void check_convolution(const ltr::Products& products) {
  const ltr::Convolution of{drawn(1, 20), drawn(1, 6), drawn(1, 6), drawn(1, 4),
                            drawn(1, 4),  2 * drawn(0, 2) + 1, drawn(1, 3)};
  const int64_t inputs = of.size * of.size * of.in, density = drawn(0, 10);
  std::vector<int32_t> starts{0}, columns, by_input(inputs + 1), outputs, places;
  std::vector<std::vector<std::pair<int32_t, int32_t>>> of_input(inputs);
  for (int64_t output = 0; output < of.out; ++output) {
    for (int64_t input = 0; input < inputs; ++input) {
      if (drawn(1, 10) > density) continue;
      of_input[input].emplace_back(output, columns.size());
      columns.push_back(static_cast<int32_t>(input));
    }
    starts.push_back(static_cast<int32_t>(columns.size()));
  }
  for (int64_t input = 0; input < inputs; ++input) {
    for (const auto& [output, place] : of_input[input]) {
      outputs.push_back(output);
      places.push_back(place);
    }
    by_input[input + 1] = static_cast<int32_t>(outputs.size());
  }
  const int64_t pixels = of.height * of.width, results = of.out_height() * of.out_width();
  const std::vector<float> x = floats(pixels * of.in * of.batch), values = floats(columns.size());
  const std::vector<float> bias = floats(of.out), gradient = floats(results * of.out * of.batch);
  std::vector<float> y(gradient.size()), of_x(x.size()), of_values(values.size()), of_bias(of.out);
  const ltr::SparseKernel kernel{starts.data(), columns.data(), values.data(), bias.data()};
  ltr::convolve(products, of, kernel, x.data(), false, y.data());
  ltr::of_images(products, of, by_input.data(), outputs.data(), places.data(), values.data(), gradient.data(),
                 of_x.data());
  ltr::of_kernel(products, of, starts.data(), columns.data(), x.data(), gradient.data(), of_values.data(),
                 of_bias.data());
  std::vector<double> right_y(y.size()), right_x(x.size()), right_values(values.size()), right_bias(of.out);
  for (int64_t row = 0; row < of.out_height(); ++row) {
    for (int64_t column = 0; column < of.out_width(); ++column) {
      for (int64_t output = 0; output < of.out; ++output) {
        const int64_t to = ((row * of.out_width() + column) * of.out + output) * of.batch;
        for (int64_t at = 0; at < of.batch; ++at) {
          right_y[to + at] += bias[output];
          right_bias[output] += gradient[to + at];
        }
        for (int32_t k = starts[output]; k < starts[output + 1]; ++k) {
          const int64_t tap = columns[k] / of.in, half = of.size / 2;
          const int64_t from_row = row * of.stride + tap / of.size - half;
          const int64_t from_column = column * of.stride + tap % of.size - half;
          if (from_row < 0 || from_row >= of.height || from_column < 0 || from_column >= of.width) continue;
          const int64_t from = ((from_row * of.width + from_column) * of.in + columns[k] % of.in) * of.batch;
          for (int64_t at = 0; at < of.batch; ++at) {
            right_y[to + at] += double{values[k]} * x[from + at];
            right_x[from + at] += double{values[k]} * gradient[to + at];
            right_values[k] += double{gradient[to + at]} * x[from + at];
          }
        }
      }
    }
  }
  require(close(y, right_y), "convolutions differ", ltr::name(set));
  check_pooling(products, of, kernel, x, y);
  require(close(of_x, right_x), "gradients of images differ", ltr::name(set));
  require(close(of_values, right_values) && close(of_bias, right_bias), "gradients of kernels differ",
          ltr::name(set));
}

void check_transpose(const Layer& of, const ltr::Products& products) {
  std::vector<float> turned(of.x.size());
  products.transpose(of.inputs, of.batch, of.x.data(), turned.data());
  bool good = true;
  for (int64_t row = 0; row < of.inputs; ++row) {
    for (int64_t at = 0; at < of.batch; ++at) {
      good &= turned[at * of.inputs + row] == of.x[row * of.batch + at];
    }
  }
  require(good, "transposes differ", ltr::name(set));
}

void check_pattern(Layer of, const ltr::Products& products) {
  const auto is_pattern = [&] {
    return products.is_pattern(of.starts.data(), of.outputs, of.columns.data(),
                               static_cast<int64_t>(of.columns.size()), of.inputs);
  };
  require(is_pattern(), "a pattern is refused", ltr::name(set));
  if (of.columns.empty()) return;
  int32_t& column = of.columns[drawn(0, static_cast<int64_t>(of.columns.size()) - 1)];
  for (const int64_t wrong : {int64_t{-1}, of.inputs}) {
    const int32_t right = column;
    column = static_cast<int32_t>(wrong);
    require(!is_pattern(), "a column out of bounds is taken", ltr::name(set));
    column = right;
  }
  of.starts.back() += 1;
  require(!is_pattern(), "more weights than there are is taken", ltr::name(set));
}

}  // namespace

int main() {
  for (int turn = 0; turn < 200; ++turn) check_sort();
  for (const ltr::InstructionSet current : ltr::instruction_sets()) {
    set = current;
    const ltr::Products products = ltr::products(set);
    for (int turn = 0; turn < 200; ++turn) {
      const Layer layer;
      for (const bool with_order : {false, true}) check_weighted(layer, products, with_order, turn % 2);
      check_dots(layer, products);
      check_transpose(layer, products);
      check_pixels(layer, products);
      check_pattern(layer, products);
      check_convolution(products);
    }
    std::printf("%s\n", ltr::name(set));
  }
}
