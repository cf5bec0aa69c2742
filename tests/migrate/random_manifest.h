#pragma once

#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "migrate/manifest_fields.h"

// Manifests with every member random (not valid ones): for round trips.
namespace osp::migrate::test {

template <class T>
inline constexpr bool is_manifest_struct = requires(T& value) {
  visit_fields(value, [](const char*, auto&) {});
};

// The largest value an enum of the schema has, so that random ones are known to this version.
template <class T>
uint64_t enum_count() {
  if constexpr (std::is_same_v<T, VectorFormat>) return 4;
  if constexpr (std::is_same_v<T, AreaKind>) return 8;
  if constexpr (std::is_same_v<T, ObjectKind>) return 5;
  if constexpr (std::is_same_v<T, DescriptionKind>) return 14;
  if constexpr (std::is_same_v<T, Comeback>) return 6;
  return 1;
}

template <class T>
void randomise(std::mt19937_64& random, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    value = random() % 2 != 0;
  } else if constexpr (std::is_same_v<T, std::byte>) {
    value = static_cast<T>(random());
  } else if constexpr (std::is_enum_v<T>) {
    value = static_cast<T>(random() % enum_count<T>());
  } else if constexpr (std::is_integral_v<T>) {
    value = static_cast<T>(random() >> random() % 64);
  } else if constexpr (is_manifest_struct<T>) {
    if (random() % 4 != 0) visit_fields(value, [&](const char*, auto& member) { randomise(random, member); });
  } else {
    value.resize(random() % 5);
    for (auto& element : value) randomise(random, element);
  }
}

}  // namespace osp::migrate::test
