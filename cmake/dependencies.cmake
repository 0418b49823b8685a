# Every dependency is looked for on the system first and else fetched at a pinned version. Without a
# network FETCHCONTENT_SOURCE_DIR_<NAME> names a folder with its source, and
# CMAKE_DISABLE_FIND_PACKAGE_<Name> passes the system's by.
include(FetchContent)

find_package(Threads REQUIRED)

# Threads come from OpenMP, of which every compiler has a runtime of its own.
if(HANDRAIL_OPENMP)
  find_package(OpenMP COMPONENTS CXX)
  if(NOT OpenMP_CXX_FOUND)
    message(WARNING "handrail: ${CMAKE_CXX_COMPILER} has no OpenMP, so that everything will run on one thread. "
      "GCC brings its runtime; Clang's is the package libomp-dev. HANDRAIL_OPENMP=OFF silences this warning.")
  endif()
endif()

# For one sink: it is not fetched.
if(HANDRAIL_SQLITE)
  find_package(SQLite3 QUIET)
endif()

# handrail_dependency("NAME [VERSION]" TARGET URL SHA256 [FOLDER]): TARGET from find_package, or made
# from the headers in FOLDER of the fetched source, whose own build, tests and options stay out of ours.
macro(handrail_dependency package target url hash)
  separate_arguments(_package UNIX_COMMAND "${package}")
  list(GET _package 0 name)
  if(NOT TARGET ${target})
    find_package(${_package} QUIET)
  endif()
  if(NOT TARGET ${target})
    message(STATUS "handrail: fetching ${name}")
    string(TOLOWER ${name} _lower)
    FetchContent_Declare(${_lower} URL ${url} URL_HASH SHA256=${hash} SOURCE_SUBDIR headers-only)
    FetchContent_MakeAvailable(${_lower})
    add_library(handrail_${_lower} INTERFACE)
    target_include_directories(handrail_${_lower} SYSTEM INTERFACE ${${_lower}_SOURCE_DIR}${ARGN})
    add_library(${target} ALIAS handrail_${_lower})
  endif()
endmacro()

handrail_dependency("Eigen3 3.4" Eigen3::Eigen
  https://gitlab.com/libeigen/eigen/-/archive/3.4.0/eigen-3.4.0.tar.gz
  8586084f71f9bde545ee7fa6d00288b264a2b7ac3607b974e54d13e7162c1c72)
handrail_dependency(cereal cereal::cereal
  https://github.com/USCiLab/cereal/archive/refs/tags/v1.3.2.tar.gz
  16a7ad9b31ba5880dac55d62b5d6f243c3ebc8d46a3514149e56b5e7ea81f85f /include)
handrail_dependency("nlohmann_json 3.11" nlohmann_json::nlohmann_json
  https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
  d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d /include)
if(HANDRAIL_EXAMPLES)
  handrail_dependency(CLI11 CLI11::CLI11
    https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.1.2.tar.gz
    26291377e892ba0e5b4972cdfd4a2ab3bf53af8dac1f4ea8fe0d1376b625c8cb /include)
endif()
if(HANDRAIL_TESTS)
  handrail_dependency(doctest doctest::doctest
    https://github.com/doctest/doctest/archive/refs/tags/v2.4.11.tar.gz
    632ed2c05a7f53fa961381497bf8069093f0d6628c5f26286161fbd32a560186)
endif()

# zlib is the only one with sources of its own.
if(NOT TARGET ZLIB::ZLIB)
  find_package(ZLIB QUIET)
endif()
if(NOT TARGET ZLIB::ZLIB)
  message(STATUS "handrail: fetching ZLIB")
  enable_language(C)
  FetchContent_Declare(zlib
    URL https://github.com/madler/zlib/releases/download/v1.3.1/zlib-1.3.1.tar.gz
    URL_HASH SHA256=9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23
    SOURCE_SUBDIR sources-only)
  FetchContent_MakeAvailable(zlib)
  file(GLOB _sources ${zlib_SOURCE_DIR}/*.c)
  add_library(handrail_zlib STATIC ${_sources})
  target_include_directories(handrail_zlib SYSTEM PUBLIC ${zlib_SOURCE_DIR})
  target_compile_definitions(handrail_zlib PRIVATE HAVE_UNISTD_H)
  set_target_properties(handrail_zlib PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_compile_options(handrail_zlib PRIVATE -w)
  add_library(ZLIB::ZLIB ALIAS handrail_zlib)
endif()
