// Products of a sparse kernel with a batch: a training step costs what its weights weigh.
//
// A batch is laid out [units, batch], so that its examples fill the vectors of the processor, and each
// weight that exists takes one row of the batch times its value. A pattern says which weights exist: for
// each row of the result where its weights start, and for each weight the row of the batch it takes. The
// last entry of `starts` counts the weights; arrays may be longer.

#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "instruction_sets.h"

namespace ltr {

// y[row] = bias[row] + the sum of values[k] x[columns[k]] over the row's k. There may be no bias (null);
// values may be kept in another order (not null): the k-th is values[order[k]].
struct Weighted {
  int64_t rows, batch;
  const int32_t *starts, *columns, *order;
  const float *values, *bias, *x;
  float* y;
};

// values[k] = the product of gradient[row] and x[columns[k]], over the row's k; bias[row] = the sum of
// gradient[row]. Where it `adds`, both are added to what is there. Values may be kept in another order too.
struct Dots {
  int64_t rows, batch;
  const int32_t *starts, *columns, *order;
  const float *gradient, *x;
  float *values, *bias;
  bool adds;
};

// A batch of bytes less a centre, two to a word (see pixels.inc), each of which counts as (it - mean) * scale.
constexpr int64_t LINE = 32, LINE_WORDS = LINE / 2;

inline int64_t lines_of(int64_t batch) { return (batch + LINE - 1) / LINE; }

struct Pixels {
  int64_t batch;
  const uint32_t* words;
  float mean, scale;

  int64_t lines() const { return lines_of(batch); }
  int64_t row_words() const { return lines() * LINE_WORDS; }
};

// `Weighted` and `Dots` of pixels.
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

// The words of a batch of images, each of so many bytes, chosen from more of them; a batch to come (or null)
// is asked of memory meanwhile.
struct Chosen {
  int64_t batch, pixels;
  const uint8_t* images;
  const int32_t *chosen, *coming;
  int32_t centre;
  uint32_t* words;
};

namespace portable {
#define WIDTH 4
#include "products.inc"
#include "pixels.inc"
#undef WIDTH
}  // namespace portable

#ifdef LTR_WIDER
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#define WIDTH 8
#include "products.inc"
#include "pixels.inc"
#undef WIDTH
}  // namespace avx2
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx2,fma,prefer-vector-width=512")
namespace avx512 {
#define WIDTH 16
#include "products.inc"
#include "pixels.inc"
#undef WIDTH
}  // namespace avx512
#pragma GCC pop_options
#endif

// The products for one instruction set.
struct Products {
  void (*weighted)(const Weighted&);
  void (*dots)(const Dots&);
  void (*weighted_pixels)(const WeightedPixels&);
  void (*dots_pixels)(const DotsPixels&);
  void (*pixels)(const Chosen&);
  void (*transpose)(int64_t rows, int64_t columns, const float* x, float* y);
  bool (*is_pattern)(const int32_t* starts, int64_t rows, const int32_t* columns, int64_t length,
                     int64_t bound);
};

#define PRODUCTS(of)                                                                              \
  {of::weighted, of::dots, of::weighted_pixels, of::dots_pixels, of::pixels, of::transpose, of::is_pattern}

inline Products products(InstructionSet set) {
#ifdef LTR_WIDER
  if (set == InstructionSet::kAvx512) return PRODUCTS(avx512);
  if (set == InstructionSet::kAvx2) return PRODUCTS(avx2);
#endif
  return PRODUCTS(portable);
}

#undef PRODUCTS

}  // namespace ltr
