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

// Calls `at(list, row, column)` for every position of `rows` x `columns`. `make` makes the list from the reach of
// the position, once for all positions of the same reach.
template <typename ReachOf, typename Make, typename At>
void each_place(int64_t rows, int64_t columns, ReachOf reach_of, Make make, At at) {
  std::map<std::pair<Reach, Reach>, List> lists;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      const std::pair<Reach, Reach> reach = reach_of(row, column);
      auto found = lists.find(reach);
      if (found == lists.end()) found = lists.emplace(reach, make(reach.first, reach.second)).first;
      at(found->second, row, column);
    }
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

// Calls `at(list, row, column)` for every position of the result, with the list of its inputs.
template <typename At>
void each_result(const Convolution& of, const int32_t* starts, const int32_t* inputs, At at) {
  each_place(
      of.out_height(), of.out_width(),
      [&](int64_t row, int64_t column) {
        return std::pair{to_image(row, of.height, of.size, of.stride),
                         to_image(column, of.width, of.size, of.stride)};
      },
      [&](const Reach& rows, const Reach& columns) { return inputs_list(of, starts, inputs, rows, columns); },
      at);
}

// Computes y, the convolution of x plus a bias for each output.
inline void convolve(const Products& products, const Convolution& of, const int32_t* starts,
                     const int32_t* inputs, const float* values, const float* bias, const float* x, float* y) {
  each_result(of, starts, inputs, [&](const List& list, int64_t row, int64_t column) {
    const int64_t from = (row * of.stride * of.width + column * of.stride) * of.in;
    const int64_t to = (row * of.out_width() + column) * of.out;
    products.weighted({of.out, of.batch, list.starts.data(), list.columns.data(), list.order.data(),
                       values, bias, x + from * of.batch, y + to * of.batch});
  });
}

// Computes the gradient of x from that of y.
inline void of_images(const Products& products, const Convolution& of, const int32_t* by_input,
                      const int32_t* outputs, const int32_t* places, const float* values,
                      const float* gradient, float* of_x) {
  each_place(
      of.height, of.width,
      [&](int64_t row, int64_t column) {
        return std::pair{to_result(row, of.out_height(), of.size, of.stride),
                         to_result(column, of.out_width(), of.size, of.stride)};
      },
      [&](const Reach& rows, const Reach& columns) {
        return outputs_list(of, by_input, outputs, places, rows, columns);
      },
      [&](const List& list, int64_t row, int64_t column) {
        const int64_t from = (row / of.stride * of.out_width() + column / of.stride) * of.out;
        const int64_t to = (row * of.width + column) * of.in;
        products.weighted({of.in, of.batch, list.starts.data(), list.columns.data(), list.order.data(),
                           values, nullptr, gradient + from * of.batch, of_x + to * of.batch});
      });
}

// Adds the gradients of the weights to `values` and those of the biases to `bias`.
inline void of_kernel(const Products& products, const Convolution& of, const int32_t* starts,
                      const int32_t* inputs, const float* x, const float* gradient, float* values,
                      float* bias) {
  each_result(of, starts, inputs, [&](const List& list, int64_t row, int64_t column) {
    const int64_t from = (row * of.stride * of.width + column * of.stride) * of.in;
    const int64_t at = (row * of.out_width() + column) * of.out;
    products.dots({of.out, of.batch, list.starts.data(), list.columns.data(), list.order.data(),
                   gradient + at * of.batch, x + from * of.batch, values, bias, true});
  });
}

}  // namespace ltr
