// Selection of the highest of many numbers. Two passes over all of them find the number that it takes; a sort, or a
// bisection of their range, would take many.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "scratch.h"

namespace ltr {

// Bounds between which the `count`-th highest of `total` ranks lies, nearly always, by a sample of them.
struct Bounds {
  int32_t lowest = std::numeric_limits<int32_t>::min(), highest = std::numeric_limits<int32_t>::max();
};

inline Bounds sampled_bounds(int64_t size, const int32_t* ranks, const bool* kept, int64_t count, int64_t total) {
  constexpr int64_t SAMPLE = 2048;
  std::vector<int32_t> sample;
  for (int64_t at = 0; at < size; at += size / SAMPLE + 1) {
    if (kept[at]) sample.push_back(ranks[at]);
  }
  const double share = static_cast<double>(count) / total, drawn = static_cast<double>(sample.size());
  const double place = share * drawn, margin = 4 * std::sqrt(place * (1 - share)) + 2;
  const auto higher = static_cast<int64_t>(place - margin), lower = static_cast<int64_t>(place + margin);
  const auto nth = [&](int64_t number) {
    std::nth_element(sample.begin(), sample.begin() + number, sample.end(), std::greater<>());
    return sample[number];
  };
  Bounds bounds;
  if (higher >= 0 && place > margin) bounds.highest = nth(higher);
  if (lower < static_cast<int64_t>(sample.size())) bounds.lowest = nth(lower);
  return bounds;
}

// Returns the `count`-th highest of the ranks where `kept` is true. It is the greatest integer if `count` is not
// positive, and the least if there are not as many.
inline int32_t nth_highest(int64_t size, const int32_t* ranks, const bool* kept, int64_t count) {
  static thread_local Scratch memory;
  if (count <= 0) return std::numeric_limits<int32_t>::max();
  const int64_t total = std::count(kept, kept + size, true);
  if (count > total) return std::numeric_limits<int32_t>::min();

  // One place more, which is overwritten by those that are skipped.
  int32_t* between = reinterpret_cast<int32_t*>(memory.floats(size + 1));
  for (Bounds bounds = sampled_bounds(size, ranks, kept, count, total);; bounds = Bounds{}) {
    int64_t above = 0, end = 0;
    for (int64_t at = 0; at < size; ++at) above += kept[at] & (ranks[at] > bounds.highest);
    for (int64_t at = 0; at < size; ++at) {
      between[end] = ranks[at];
      end += kept[at] & (ranks[at] >= bounds.lowest) & (ranks[at] <= bounds.highest);
    }
    const int64_t number = count - above - 1;
    if (number < 0 || number >= end) continue;  // the sample is not like the rest: then without bounds
    std::nth_element(between, between + number, between + end, std::greater<>());
    return between[number];
  }
}

}  // namespace ltr
