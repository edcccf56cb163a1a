// Sparse convolutions: at each place of an image the products of products.h, with rows that lie where the
// kernel's taps fall.
//
// A batch of images is laid out [height, width, channels, batch]. A kernel [size, size, in, out] counts as
// one of size x size x in inputs: which input is which tap of which channel. What does not fall on the
// image is left out; places where the same taps fall on it share a list of rows.

#pragma once

#include <map>
#include <utility>

#include "products.h"

namespace ltr {

// Images of `height` x `width` x `in` to ones of ceil(height / stride) x ceil(width / stride) x `out`, by a
// kernel of an odd `size`.
struct Convolution {
  int64_t batch, height, width, in, out, size, stride;

  int64_t out_height() const { return (height + stride - 1) / stride; }
  int64_t out_width() const { return (width + stride - 1) / stride; }
};

// A pattern as `Weighted` and `Dots` take it, of the taps that fall on an image: columns are rows of the
// batch, counted from that of the place.
struct List {
  std::vector<int32_t> starts{0}, columns, order;

  void add(int64_t column, int32_t place) {
    columns.push_back(static_cast<int32_t>(column));
    order.push_back(place);
  }
  void end_row() { starts.push_back(static_cast<int32_t>(columns.size())); }
};

// For each tap of a line how far off it reads, if it falls on the image there.
using Reach = std::vector<std::pair<bool, int64_t>>;

// From a place of the result to the taps on the image.
inline Reach to_image(int64_t place, int64_t length, int64_t size, int64_t stride) {
  Reach found;
  for (int64_t tap = 0; tap < size; ++tap) {
    const int64_t at = place * stride + tap - size / 2;
    found.emplace_back(at >= 0 && at < length, tap - size / 2);
  }
  return found;
}

// From a place of the image to the places of the result whose taps fall there, counted from place / stride.
inline Reach to_result(int64_t place, int64_t length, int64_t size, int64_t stride) {
  Reach found;
  for (int64_t tap = 0; tap < size; ++tap) {
    const int64_t from = place + size / 2 - tap;
    const bool there = from >= 0 && from % stride == 0 && from / stride < length;
    found.emplace_back(there, there ? from / stride - place / stride : 0);
  }
  return found;
}

// Calls `at(list, row, column)` at every place of `rows` x `columns`, with the list that `make` makes of the
// reach there, once for all places of the same reach.
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

// The list of a place of the result: for each output, the inputs of its weights.
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

// The list of a place of the image: for each channel, the outputs that its weights lead to.
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

// Calls `at(list, row, column)` at every place of the result, with the list of its inputs.
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

// y = the convolution of x, and a bias for each output.
inline void convolve(const Products& products, const Convolution& of, const int32_t* starts,
                     const int32_t* inputs, const float* values, const float* bias, const float* x, float* y) {
  each_result(of, starts, inputs, [&](const List& list, int64_t row, int64_t column) {
    const int64_t from = (row * of.stride * of.width + column * of.stride) * of.in;
    const int64_t to = (row * of.out_width() + column) * of.out;
    products.weighted({of.out, of.batch, list.starts.data(), list.columns.data(), list.order.data(),
                       values, bias, x + from * of.batch, y + to * of.batch});
  });
}

// The gradient of x, from that of y.
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

// Adds to values[k] the gradient of each weight, and to bias that of each output's.
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
