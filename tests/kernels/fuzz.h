// What the fuzz programs share: random numbers, and the end of a program that finds a difference.

#pragma once

#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "../../ltr/kernels/instruction_sets.h"

namespace {

std::mt19937 engine(0);
ltr::InstructionSet set;

int64_t drawn(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(engine); }

std::vector<float> floats(int64_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> found(count);
  for (float& value : found) value = normal(engine);
  return found;
}

void require(bool good, const char* what, const char* name) {
  if (good) return;
  std::printf("%s: %s\n", name, what);
  std::exit(1);
}

bool close(const std::vector<float>& found, const std::vector<double>& expected) {
  for (size_t at = 0; at < expected.size(); ++at) {
    if (!(std::abs(found[at] - expected[at]) < 1e-3 * (1 + std::abs(expected[at])))) return false;
  }
  return true;
}

}  // namespace
