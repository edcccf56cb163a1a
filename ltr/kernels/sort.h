// Radix sort of random words, for the order of the training examples. It is several times as fast as a sort by
// comparisons.

#pragma once

#include <cstdint>
#include <vector>

namespace ltr {

// Writes the words to `sorted` in ascending order.
inline void sort(int64_t count, const uint32_t* words, uint32_t* sorted) {
  constexpr int BITS = 11, DIGITS = 3;
  constexpr uint32_t SIZE = 1u << BITS;
  std::vector<int64_t> places(DIGITS * SIZE);  // per digit and value: number of words, later the place of the next
  for (int64_t at = 0; at < count; ++at) {
    for (int digit = 0; digit < DIGITS; ++digit) ++places[digit * SIZE + (words[at] >> digit * BITS) % SIZE];
  }
  for (int digit = 0; digit < DIGITS; ++digit) {
    int64_t before = 0;
    for (uint32_t value = 0; value < SIZE; ++value) {
      const int64_t here = places[digit * SIZE + value];
      places[digit * SIZE + value] = before;
      before += here;
    }
  }
  std::vector<uint32_t> between(count);
  const auto pass = [&](int digit, const uint32_t* from, uint32_t* to) {
    int64_t* place = places.data() + digit * SIZE;
    for (int64_t at = 0; at < count; ++at) to[place[(from[at] >> digit * BITS) % SIZE]++] = from[at];
  };
  pass(0, words, sorted);
  pass(1, sorted, between.data());
  pass(2, between.data(), sorted);
}

}  // namespace ltr
