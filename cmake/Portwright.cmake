# What every stage shares: packages, warnings, precompiled headers, and the two
# functions that declare a stage and its tests.

option(PORTWRIGHT_TESTS "Build the unit tests" ON)
option(PORTWRIGHT_WERROR "Treat warnings as errors" ON)
option(PORTWRIGHT_PORTABLE "Need no shared library but libmlx and the system's own" OFF)
option(PORTWRIGHT_UNITY "Compile files in batches: a whole build in a fifth of the time" ON)
option(PORTWRIGHT_LIBFUZZER "Link the fuzz drivers with libFuzzer (clang)" OFF)
set(PORTWRIGHT_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined")

find_package(Python 3.11 COMPONENTS Interpreter REQUIRED)
if(NOT MLX_DIR)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -m mlx --cmake-dir
    OUTPUT_VARIABLE MLX_ROOT
    OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
find_package(MLX CONFIG REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_package(Threads REQUIRED)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # What ccache asks for where precompiled headers are used.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

add_library(portwright_options INTERFACE)
target_include_directories(portwright_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
# Everything links these, so that one precompiled header fits every stage.
set(fmt fmt::fmt)
if(PORTWRIGHT_PORTABLE)
  list(PREPEND CMAKE_FIND_LIBRARY_SUFFIXES .a)
  set(fmt fmt::fmt-header-only)
endif()
target_link_libraries(portwright_options INTERFACE
  nlohmann_json::nlohmann_json ${fmt} Threads::Threads)
# Linked in, it takes malloc's place: half of what many small objects beside a few
# large tensors cost with glibc. macOS has no such need, sanitizers their own.
find_package(mimalloc QUIET)
if(mimalloc_FOUND AND NOT APPLE AND NOT PORTWRIGHT_PORTABLE AND NOT PORTWRIGHT_SANITIZE)
  target_link_libraries(portwright_options INTERFACE mimalloc)
endif()
target_compile_options(portwright_options INTERFACE
  -Wall -Wextra -Wno-missing-field-initializers
  $<$<BOOL:${PORTWRIGHT_WERROR}>:-Werror>
  # ccache can reuse objects built against a precompiled header.
  $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
if(PORTWRIGHT_SANITIZE)
  target_compile_options(portwright_options INTERFACE
    -fsanitize=${PORTWRIGHT_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(portwright_options INTERFACE -fsanitize=${PORTWRIGHT_SANITIZE})
endif()

if(PORTWRIGHT_LIBFUZZER)
  target_compile_options(portwright_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(PORTWRIGHT_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# portwright_stage(NAME [MLX] [LINK target ...] [SOURCES ...])
# One folder, one library. Without SOURCES every .cpp beside the CMakeLists that
# is not a test belongs to it; x_test.cpp files become one test executable. MLX
# stages share a precompiled header with mlx.h, the others one without it.
function(portwright_stage name)
  cmake_parse_arguments(ARG "MLX" "" "LINK;SOURCES" ${ARGN})
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  if(NOT ARG_SOURCES)
    file(GLOB_RECURSE ARG_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    list(FILTER ARG_SOURCES EXCLUDE REGEX "_test\\.cpp$")
  endif()
  set(pch portwright_pch)
  if(ARG_MLX)
    set(pch portwright_pch_mlx)
  endif()
  if(ARG_SOURCES)
    add_library(pw_${name} STATIC ${ARG_SOURCES})
    set_target_properties(pw_${name} PROPERTIES
      UNITY_BUILD ${PORTWRIGHT_UNITY} UNITY_BUILD_BATCH_SIZE 8)
    set(scope PUBLIC)
    target_precompile_headers(pw_${name} REUSE_FROM ${pch})
  else()
    add_library(pw_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_link_libraries(pw_${name} ${scope} portwright_options ${ARG_LINK})
  if(ARG_MLX)
    target_link_libraries(pw_${name} ${scope} mlx)
  endif()
  if(PORTWRIGHT_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE pw_${name} GTest::gmock GTest::gtest_main)
    target_precompile_headers(${name}_test REUSE_FROM ${pch})
    set_target_properties(${name}_test PROPERTIES
      UNITY_BUILD ${PORTWRIGHT_UNITY} UNITY_BUILD_BATCH_SIZE 8)
    target_compile_definitions(${name}_test PRIVATE
      PORTWRIGHT_TESTDATA="${CMAKE_CURRENT_SOURCE_DIR}/testdata")
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60)
  endif()
endfunction()

# portwright_fuzzer(NAME LINK target ...)
# NAME.cpp defines LLVMFuzzerTestOneInput for a reader of hostile bytes; its seeds
# lie in NAME.seeds/. With PORTWRIGHT_LIBFUZZER libFuzzer drives it; otherwise a
# driver of ours does, for a fixed number of mutations from a fixed seed, as a test.
function(portwright_fuzzer name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  if(PORTWRIGHT_LIBFUZZER)
    add_executable(${name} ${name}.cpp)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  elseif(PORTWRIGHT_TESTS)
    add_executable(${name} ${name}.cpp ${PROJECT_SOURCE_DIR}/fuzz/driver.cpp)
    add_test(NAME fuzz.${name}
      COMMAND ${name} ${CMAKE_CURRENT_SOURCE_DIR}/${name}.seeds)
    set_property(GLOBAL APPEND PROPERTY PORTWRIGHT_FUZZERS ${name})
  else()
    return()
  endif()
  target_link_libraries(${name} PRIVATE portwright_options ${ARG_LINK})
endfunction()

# portwright_embed(STAGE file.py ...)
# Compiles the texts into pw_STAGE; C++ reaches file.py through
# `std::string_view portwright::STAGE::embedded_file()`, which it declares itself.
function(portwright_embed stage)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded.cpp)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE inputs)
  string(REPLACE ";" "|" joined "${inputs}")
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} "-DINPUTS=${joined}" -DNAMESPACE=${stage}
            -DOUTPUT=${output} -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${inputs} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  target_sources(pw_${stage} PRIVATE ${output})
endfunction()
