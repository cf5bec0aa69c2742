# Toolchain for the parts that need clang: fuzzers and clang-tidy.
set(CMAKE_C_COMPILER clang-16)
set(CMAKE_CXX_COMPILER clang++-16)
# libstdc++ 12 offers std::expected only to compilers that claim all of C++20's concepts; clang 16
# has what <expected> uses of them, but not yet the claim.
set(CMAKE_CXX_FLAGS_INIT "-Wno-builtin-macro-redefined -U__cpp_concepts -D__cpp_concepts=202002L")
if(OSP_FUZZ)
  string(APPEND CMAKE_CXX_FLAGS_INIT " -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined")
endif()
