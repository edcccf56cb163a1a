// Selection of the highest of many numbers. One pass over all of them finds the number that it takes; a sort, or a
// bisection of their range, would take many.

#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace ltr {

// Returns the `count`-th highest of the ranks where `kept` is true. It is the greatest integer if `count` is not
// positive, and the least if there are not as many.
inline int32_t nth_highest(int64_t size, const int32_t* ranks, const bool* kept, int64_t count) {
  constexpr int BITS = 11, LANES = 4;
  constexpr uint32_t VALUES = 1u << BITS;
  if (count <= 0) return std::numeric_limits<int32_t>::max();
  const auto word = [&](int64_t at) { return static_cast<uint32_t>(ranks[at]) ^ 0x80000000u; };

  std::vector<int32_t> counts(LANES * VALUES);  // in lanes, so that equal neighbours do not wait for each other
  for (int64_t at = 0; at < size; ++at) counts[at % LANES * VALUES + (word(at) >> (32 - BITS))] += kept[at];
  for (uint32_t value = 0; value < VALUES; ++value) {
    for (int lane = 1; lane < LANES; ++lane) counts[value] += counts[lane * VALUES + value];
  }

  // Skips the highest values of a digit while fewer than `count` numbers have them.
  const auto descend = [&](uint32_t values) {
    for (uint32_t value = values; value-- > 0; count -= counts[value]) {
      if (counts[value] >= count) return static_cast<int64_t>(value);
    }
    return int64_t{-1};
  };
  const int64_t high = descend(VALUES);
  if (high < 0) return std::numeric_limits<int32_t>::min();
  std::vector<uint32_t> left(counts[high] + 1);  // the last place is overwritten by those that are skipped
  size_t end = 0;
  for (int64_t at = 0; at < size; ++at) {
    left[end] = word(at);
    end += kept[at] & (word(at) >> (32 - BITS) == high);
  }
  left.resize(end);

  uint32_t found = static_cast<uint32_t>(high);
  for (const int shift : {10, 0}) {
    const uint32_t values = shift ? VALUES : 1u << 10;
    counts.assign(values, 0);
    for (const uint32_t number : left) ++counts[(number >> shift) % values];
    const uint32_t digit = static_cast<uint32_t>(descend(values));
    end = 0;
    for (const uint32_t number : left) {
      if ((number >> shift) % values == digit) left[end++] = number;
    }
    left.resize(end);
    found = found * values + digit;
  }
  return static_cast<int32_t>(found ^ 0x80000000u);
}

}  // namespace ltr
