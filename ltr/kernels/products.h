// Products of a sparse kernel with a batch, at a cost proportional to the kept weights.
//
// A batch is laid out [units, batch], so its examples fill the vector registers. Each kept weight multiplies
// one row of the batch. A pattern describes the kept weights in two arrays: `starts` has the index of the first
// weight of each row of the result, and `columns` has the row of the batch that each weight multiplies. The
// last entry of `starts` is the number of weights; other arrays may be longer.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "instruction_sets.h"

namespace ltr {

// Weighted sums: y[row] = bias[row] + sum of values[k] x[columns[k]] over the weights k of the row, 0 instead if it is
// negative and `relu`. A null `bias` counts as zero. If `order` is not null, the value of weight k is values[order[k]].
struct Weighted {
  int64_t rows, batch;
  const int32_t *starts, *columns, *order;
  const float *values, *bias, *x;
  float* y;
  bool relu = false;
};

// Dot products: values[k] = gradient[row] . x[columns[k]] for the weights k of the row, and bias[row] = sum of
// gradient[row]. If `adds`, results are added to the arrays. `order` is as in `Weighted`.
struct Dots {
  int64_t rows, batch;
  const int32_t *starts, *columns, *order;
  const float *gradient, *x;
  float *values, *bias;
  bool adds;
};

// Examples and words per cache line of pixels (see pixels.inc).
constexpr int64_t LINE = 32, LINE_WORDS = LINE / 2;

inline int64_t lines_of(int64_t batch) { return (batch + LINE - 1) / LINE; }

// A batch of pixels. A word has the bytes of two examples, each minus a centre. A pixel p stands for
// (p - mean) * scale.
struct Pixels {
  int64_t batch;
  const uint32_t* words;
  float mean, scale;

  int64_t lines() const { return lines_of(batch); }
  int64_t row_words() const { return lines() * LINE_WORDS; }
};

// `Weighted` and `Dots` for pixels.
struct WeightedPixels {
  int64_t rows;
  const int32_t *starts, *columns;
  const float *values, *bias;
  Pixels x;
  float* y;
};

struct DotsPixels {
  int64_t rows;
  const int32_t *starts, *columns;
  const float* gradient;
  Pixels x;
  float *values, *bias;
};

// Conversion of the images with the indices `chosen`, each of `pixels` bytes, to words. The images with the
// indices `coming`, if not null, are prefetched.
struct Chosen {
  int64_t batch, pixels;
  const uint8_t* images;
  const int32_t *chosen, *coming;
  int32_t centre;
  uint32_t* words;
};

#define FUNCTIONS "products.inc"
#include "each_instruction_set.inc"
#define FUNCTIONS "pixels.inc"
#include "each_instruction_set.inc"
#define FUNCTIONS "pooling.inc"
#include "each_instruction_set.inc"

// The functions for one instruction set.
struct Products {
  void (*weighted)(const Weighted&);
  void (*dots)(const Dots&);
  void (*weighted_pixels)(const WeightedPixels&);
  void (*dots_pixels)(const DotsPixels&);
  void (*pixels)(const Chosen&);
  void (*transpose)(int64_t rows, int64_t columns, const float* x, float* y);
  void (*pool)(int64_t count, const float* const square[4], float* y, uint8_t* corners);
  void (*unpool)(int64_t count, const float* gradient, const uint8_t* corners, float* const square[4]);
  bool (*is_pattern)(const int32_t* starts, int64_t rows, const int32_t* columns, int64_t length,
                     int64_t bound);
};

#define PRODUCTS(of)                                                                                          \
  {of::weighted, of::dots, of::weighted_pixels, of::dots_pixels, of::pixels, of::transpose, of::pool, of::unpool, \
   of::is_pattern}

inline Products products(InstructionSet set) {
#ifdef LTR_WIDER
  if (set == InstructionSet::kAvx512) return PRODUCTS(avx512);
  if (set == InstructionSet::kAvx2) return PRODUCTS(avx2);
#endif
  return PRODUCTS(portable);
}

#undef PRODUCTS

}  // namespace ltr
