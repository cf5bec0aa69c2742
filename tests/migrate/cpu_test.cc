#include "migrate/cpu.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

namespace osp::migrate {
namespace {

std::set<std::string> kernel_flags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("flags")) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    return {std::istream_iterator<std::string>(words), {}};
  }
  return {};
}

TEST(Cpu, NothingIsMissingOnTheSameProcessor) { EXPECT_EQ(missing_features(host_cpu(), host_cpu()), ""); }

TEST(Cpu, HasWhatTheKernelSaysToo) {
  const auto flags = kernel_flags();
  const std::string all = ", " + missing_features(host_cpu(), Cpu{}) + ", ";
  for (const char* name : {"sse2", "sse4_2", "avx", "avx2", "avx512f", "xsavec", "aes", "rdtscp", "bmi2"})
    EXPECT_EQ(all.find(std::string(", ") + name + ", ") != std::string::npos, flags.contains(name)) << name;
}

TEST(Cpu, MissingFeaturesAreNamed) {
  const Cpu needed{.xcr0 = 0xe7, .xsave_size = 2696, .words = {0, 0, 1u << 16 | 1u << 5, 0, 0, 0, 0, 0, 0}};
  const Cpu have{.xcr0 = 0x7, .xsave_size = 832, .words = {0, 0, 1u << 5, 0, 0, 0, 0, 0, 0}};
  EXPECT_EQ(missing_features(needed, have), "avx512f, xsave components 0xe0");
  EXPECT_EQ(missing_features(have, needed), "");
}

TEST(Cpu, WhatOnlyKernelsSeeDoesNotCount) {
  Cpu needed;
  needed.words = {1u << 31};  // "a hypervisor is there"
  EXPECT_EQ(missing_features(needed, Cpu{}), "");
}

TEST(Cpu, WordsOfALaterVersionCannotBeJudged) {
  Cpu needed;
  needed.words.resize(10);
  EXPECT_EQ(missing_features(needed, Cpu{}), "");
  needed.words[9] = 1;
  EXPECT_NE(missing_features(needed, Cpu{}), "");
}

}  // namespace
}  // namespace osp::migrate
