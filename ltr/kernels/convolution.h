// Sparse convolutions: the products of products.h at each position, with the rows of the batch under the taps
// of the kernel.
//
// A batch of images is laid out [height, width, channels, batch]. A kernel [size, size, in, out] is a matrix
// [size x size x in, out], so an input is a channel at a tap. Taps outside the image are left out. Positions with
// the same taps inside the image share a list of rows.

#pragma once

#include <map>
#include <utility>

#include "products.h"

namespace ltr {

// Sizes of a convolution: images of `height` x `width` x `in`, results of ceil(height / stride) x
// ceil(width / stride) x `out`, a kernel of an odd `size`.
struct Convolution {
  int64_t batch, height, width, in, out, size, stride;

  int64_t out_height() const { return (height + stride - 1) / stride; }
  int64_t out_width() const { return (width + stride - 1) / stride; }
};

// The pattern, for `Weighted` and `Dots`, of the taps inside the image. `columns` are rows of the batch relative
// to that of the position; `order` has the index of each weight's value.
struct List {
  std::vector<int32_t> starts{0}, columns, order;

  void add(int64_t column, int32_t place) {
    columns.push_back(static_cast<int32_t>(column));
    order.push_back(place);
  }
  void end_row() { starts.push_back(static_cast<int32_t>(columns.size())); }
};

// For each tap along one axis: whether it is inside the image, and its offset from the position.
using Reach = std::vector<std::pair<bool, int64_t>>;

// Returns the taps in the image of a position of the result, along one axis.
inline Reach to_image(int64_t place, int64_t length, int64_t size, int64_t stride) {
  Reach found;
  for (int64_t tap = 0; tap < size; ++tap) {
    const int64_t at = place * stride + tap - size / 2;
    found.emplace_back(at >= 0 && at < length, tap - size / 2);
  }
  return found;
}

// Returns the positions of the result that read a position of the image, along one axis: for each tap, the offset
// from place / stride.
inline Reach to_result(int64_t place, int64_t length, int64_t size, int64_t stride) {
  Reach found;
  for (int64_t tap = 0; tap < size; ++tap) {
    const int64_t from = place + size / 2 - tap;
    const bool there = from >= 0 && from % stride == 0 && from / stride < length;
    found.emplace_back(there, there ? from / stride - place / stride : 0);
  }
  return found;
}

// The lists of positions. `make` makes a list from the reach of a position, once for all positions of the same reach.
template <typename ReachOf, typename Make>
class Lists {
 public:
  Lists(ReachOf reach_of, Make make) : reach_of_(reach_of), make_(make) {}

  const List& at(int64_t row, int64_t column) {
    const std::pair<Reach, Reach> reach = reach_of_(row, column);
    auto found = lists_.find(reach);
    if (found == lists_.end()) found = lists_.emplace(reach, make_(reach.first, reach.second)).first;
    return found->second;
  }

 private:
  ReachOf reach_of_;
  Make make_;
  std::map<std::pair<Reach, Reach>, List> lists_;
};

// Calls `at(row, column)` for every position of `rows` x `columns`.
template <typename At>
void each_place(int64_t rows, int64_t columns, At at) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) at(row, column);
  }
}

// Returns the list of a position of the result: for each output, the inputs of its weights.
inline List inputs_list(const Convolution& of, const int32_t* starts, const int32_t* inputs, const Reach& rows,
                        const Reach& columns) {
  List list;
  for (int64_t output = 0; output < of.out; ++output) {
    for (int32_t k = starts[output]; k < starts[output + 1]; ++k) {
      const int64_t tap = inputs[k] / of.in, channel = inputs[k] % of.in;
      const auto [row_there, row] = rows[tap / of.size];
      const auto [column_there, column] = columns[tap % of.size];
      if (row_there && column_there) list.add((row * of.width + column) * of.in + channel, k);
    }
    list.end_row();
  }
  return list;
}

// Returns the list of a position of the image: for each channel, the outputs of its weights.
inline List outputs_list(const Convolution& of, const int32_t* by_input, const int32_t* outputs,
                         const int32_t* places, const Reach& rows, const Reach& columns) {
  List list;
  for (int64_t channel = 0; channel < of.in; ++channel) {
    for (int64_t tap = 0; tap < of.size * of.size; ++tap) {
      const auto [row_there, row] = rows[tap / of.size];
      const auto [column_there, column] = columns[tap % of.size];
      if (!row_there || !column_there) continue;
      const int64_t input = tap * of.in + channel;
      for (int32_t k = by_input[input]; k < by_input[input + 1]; ++k) {
        list.add((row * of.out_width() + column) * of.out + outputs[k], places[k]);
      }
    }
    list.end_row();
  }
  return list;
}

// Returns the lists of the positions of the result.
inline auto input_lists(const Convolution& of, const int32_t* starts, const int32_t* inputs) {
  return Lists(
      [of](int64_t row, int64_t column) {
        return std::pair{to_image(row, of.height, of.size, of.stride),
                         to_image(column, of.width, of.size, of.stride)};
      },
      [of, starts, inputs](const Reach& rows, const Reach& columns) {
        return inputs_list(of, starts, inputs, rows, columns);
      });
}

// Returns the lists of the positions of the image.
inline auto output_lists(const Convolution& of, const int32_t* by_input, const int32_t* outputs,
                         const int32_t* places) {
  return Lists(
      [of](int64_t row, int64_t column) {
        return std::pair{to_result(row, of.out_height(), of.size, of.stride),
                         to_result(column, of.out_width(), of.size, of.stride)};
      },
      [of, by_input, outputs, places](const Reach& rows, const Reach& columns) {
        return outputs_list(of, by_input, outputs, places, rows, columns);
      });
}

// A sparse kernel with its bias.
struct SparseKernel {
  const int32_t *starts, *inputs;
  const float *values, *bias;
};

// Returns the products of a position of the result: the convolution of x there plus a bias for each output, and relu.
inline Weighted at_position(const Convolution& of, const SparseKernel& kernel, const List& list, int64_t row,
                            int64_t column, const float* x, bool relu, float* y) {
  const int64_t from = (row * of.stride * of.width + column * of.stride) * of.in;
  return {of.out,        of.batch,    list.starts.data(),  list.columns.data(), list.order.data(),
          kernel.values, kernel.bias, x + from * of.batch, y,                   relu};
}

// Computes y, the convolution of x plus a bias for each output, and relu.
inline void convolve(const Products& products, const Convolution& of, const SparseKernel& kernel, const float* x,
                     bool relu, float* y) {
  auto lists = input_lists(of, kernel.starts, kernel.inputs);
  each_place(of.out_height(), of.out_width(), [&](int64_t row, int64_t column) {
    float* to = y + (row * of.out_width() + column) * of.out * of.batch;
    products.weighted(at_position(of, kernel, lists.at(row, column), row, column, x, relu, to));
  });
}

// Computes y, the convolution of x plus a bias for each output, pooled after relu, and its corners (see pooling.inc).
inline void convolve_pooled(const Products& products, const Convolution& of, const SparseKernel& kernel,
                            const float* x, float* y, uint8_t* corners) {
  auto lists = input_lists(of, kernel.starts, kernel.inputs);
  const int64_t pixel = of.out * of.batch, width = of.out_width() / 2;
  std::vector<float> results(4 * pixel);
  float* const square[4] = {results.data(), results.data() + pixel, results.data() + 2 * pixel,
                            results.data() + 3 * pixel};
  each_place(of.out_height() / 2, width, [&](int64_t row, int64_t column) {
    for (int64_t corner = 0; corner < 4; ++corner) {
      const int64_t down = 2 * row + corner / 2, across = 2 * column + corner % 2;
      products.weighted(at_position(of, kernel, lists.at(down, across), down, across, x, true, square[corner]));
    }
    const int64_t to = (row * width + column) * pixel;
    products.pool(pixel, square, y + to, corners + to);
  });
}

// Computes the gradient of images [height, width, pixel] before pooling from that after it; `pixel` is the number of
// floats of a pixel. An odd last row or column has none.
inline void unpool(const Products& products, int64_t height, int64_t width, int64_t pixel, const float* gradient,
                   const uint8_t* corners, float* unpooled) {
  const auto at = [&](int64_t row, int64_t column) { return unpooled + (row * width + column) * pixel; };
  each_place(height, width, [&](int64_t row, int64_t column) {
    if (row == height / 2 * 2 || column == width / 2 * 2) std::fill_n(at(row, column), pixel, 0.0f);
  });
  each_place(height / 2, width / 2, [&](int64_t row, int64_t column) {
    const int64_t from = (row * (width / 2) + column) * pixel, down = 2 * row, across = 2 * column;
    float* const square[4] = {at(down, across), at(down, across + 1), at(down + 1, across),
                              at(down + 1, across + 1)};
    products.unpool(pixel, gradient + from, corners + from, square);
  });
}

// Computes the gradient of x from that of y.
inline void of_images(const Products& products, const Convolution& of, const int32_t* by_input,
                      const int32_t* outputs, const int32_t* places, const float* values,
                      const float* gradient, float* of_x) {
  auto lists = output_lists(of, by_input, outputs, places);
  each_place(of.height, of.width, [&](int64_t row, int64_t column) {
    const List& list = lists.at(row, column);
    const int64_t from = (row / of.stride * of.out_width() + column / of.stride) * of.out;
    const int64_t to = (row * of.width + column) * of.in;
    products.weighted({of.in, of.batch, list.starts.data(), list.columns.data(), list.order.data(), values,
                       nullptr, gradient + from * of.batch, of_x + to * of.batch});
  });
}

// Adds the gradients of the weights to `values` and those of the biases to `bias`.
inline void of_kernel(const Products& products, const Convolution& of, const int32_t* starts,
                      const int32_t* inputs, const float* x, const float* gradient, float* values,
                      float* bias) {
  auto lists = input_lists(of, starts, inputs);
  each_place(of.out_height(), of.out_width(), [&](int64_t row, int64_t column) {
    const List& list = lists.at(row, column);
    const int64_t from = (row * of.stride * of.width + column * of.stride) * of.in;
    const int64_t at = (row * of.out_width() + column) * of.out;
    products.dots({of.out, of.batch, list.starts.data(), list.columns.data(), list.order.data(),
                   gradient + at * of.batch, x + from * of.batch, values, bias, true});
  });
}

}  // namespace ltr
