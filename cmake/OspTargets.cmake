# What every target of ours is compiled with, and how libraries, tools and tests are declared.

set(OSP_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Werror)
# The core and everything linked into it must leave the program's upper vector state alone
# (docs: ARCHITECTURE.md, "Vectors"), so it is compiled for SSE2 only.
set(OSP_BASELINE -march=x86-64 -mno-avx)

function(osp_options target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${OSP_WARNINGS} ${OSP_BASELINE} -fno-omit-frame-pointer
                                                                        -ffunction-sections -fdata-sections>)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${target} PUBLIC FMT_HEADER_ONLY=1 OSP_VERSION="${PROJECT_VERSION}")
  if(OSP_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-sanitize-recover=undefined)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
endfunction()

# osp_library(NAME sources... ): a static library, which the core and the tools link.
function(osp_library target)
  add_library(${target} STATIC ${ARGN})
  osp_options(${target})
endfunction()

# osp_test(NAME sources...): a GoogleTest program, registered with ctest under its name.
function(osp_test target)
  find_package(GTest REQUIRED)
  add_executable(${target} ${ARGN})
  osp_options(${target})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${target} PRIVATE GTest::gtest GTest::gmock GTest::gtest_main)
  add_test(NAME ${target} COMMAND ${target})
endfunction()

# osp_fuzzer(NAME sources...): a libFuzzer target; built only with clang and OSP_FUZZ.
function(osp_fuzzer target)
  if(OSP_FUZZ)
    add_executable(${target} ${ARGN})
    osp_options(${target})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer,address,undefined)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer,address,undefined)
  endif()
endfunction()
