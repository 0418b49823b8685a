# The library: handrail_library(NAME) makes it and the alias handrail::NAME. It is called once for
# float and, for gradient checks, once for double.

# The tree is the list: every source below these folders is compiled, and every header is installed but those of the
# folders that are private.
set(handrail_folders core nn optim train)
set(handrail_private "(core/kernels|train/files|train/run/loop|internal)/")
set(handrail_headers "")
set(handrail_sources "")
foreach(folder ${handrail_folders})
  file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.h)
  file(GLOB_RECURSE sources RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  list(APPEND handrail_headers ${headers})
  list(APPEND handrail_sources ${sources})
endforeach()
list(FILTER handrail_sources EXCLUDE REGEX train/report/program/) # which is no part of the library
set(handrail_all_headers ${handrail_headers})
list(FILTER handrail_headers EXCLUDE REGEX ${handrail_private})
list(REMOVE_ITEM handrail_headers train/handrail.h) # which is <handrail/handrail.h>, see below
include(${CMAKE_CURRENT_LIST_DIR}/kernels.cmake)

# Sources are compiled in batches (CMake calls them unity builds): a batch reads each header once, which
# takes a third of the processor time. Kernels stay alone, for their flags differ. The batches take about as long.
set(handrail_batches core "nn|optim" "train/(files|math|data|metrics)" "train/(lr|report|guards)" "train/checks"
  "train/(checkpoints|[a-z_]+[.])" train/exchange "train/run/(fixes|[a-z_]+[.])" "train/run/loop" "train/run/internal")
foreach(source ${handrail_sources})
  foreach(batch ${handrail_batches})
    if(source MATCHES "^(${batch})")
      string(MAKE_C_IDENTIFIER ${batch} name)
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${name})
    endif()
  endforeach()
endforeach()
set_source_files_properties(${handrail_kernels} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)

# Headers are included as <handrail/core/tensor.h> everywhere: here through links to the folders, as
# real files once installed. A link to a file would be installed as a link, so handrail.h is a copy.
set(handrail_include ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${handrail_include}/handrail)
foreach(folder ${handrail_folders})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${handrail_include}/handrail/${folder} SYMBOLIC)
endforeach()
if(IS_SYMLINK ${handrail_include}/handrail/handrail.h) # as build folders of before have it
  file(REMOVE ${handrail_include}/handrail/handrail.h)
endif()
configure_file(${PROJECT_SOURCE_DIR}/train/handrail.h ${handrail_include}/handrail/handrail.h COPYONLY)
list(APPEND handrail_headers handrail.h)
list(TRANSFORM handrail_headers PREPEND ${handrail_include}/handrail/)

# Warnings and sanitizers are for our own code: never exported. In batches Clang also finds that a parameter
# hides a constant of another source, which is no mistake.
set(_shadow -Wshadow)
if(HANDRAIL_UNITY AND CMAKE_CXX_COMPILER_ID MATCHES Clang)
  set(_shadow "")
endif()
add_library(handrail_own INTERFACE)
target_compile_options(handrail_own INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion ${_shadow} -Wold-style-cast -Wnon-virtual-dtor
  -Woverloaded-virtual $<$<BOOL:${HANDRAIL_WERROR}>:-Werror>)
if(HANDRAIL_SANITIZE)
  add_compile_options(-fsanitize=${HANDRAIL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HANDRAIL_SANITIZE})
endif()

if(HANDRAIL_TIDY)
  find_program(_clang_tidy clang-tidy REQUIRED)
  set(HANDRAIL_CLANG_TIDY ${_clang_tidy} --extra-arg=-Wno-unknown-warning-option)
endif()

# What may be fetched is linked for the build only: cmake/handrail-config.cmake.in finds it again for
# an installed copy.
function(handrail_library name)
  add_library(${name})
  add_library(handrail::${name} ALIAS ${name})
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_sources(${name} PRIVATE ${handrail_sources}
    PUBLIC FILE_SET HEADERS BASE_DIRS ${handrail_include} FILES ${handrail_headers})
  target_link_libraries(${name}
    PUBLIC $<BUILD_INTERFACE:Eigen3::Eigen>
    PRIVATE Threads::Threads $<BUILD_INTERFACE:ZLIB::ZLIB> $<BUILD_INTERFACE:cereal::cereal>
      $<BUILD_INTERFACE:nlohmann_json::nlohmann_json> $<BUILD_INTERFACE:handrail_own>)
  if(TARGET OpenMP::OpenMP_CXX AND HANDRAIL_OPENMP)
    target_link_libraries(${name} PRIVATE OpenMP::OpenMP_CXX)
  else()
    target_compile_options(${name} PRIVATE -Wno-unknown-pragmas)
  endif()
  if(HANDRAIL_SQLITE AND SQLite3_FOUND)
    target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:SQLite::SQLite3>)
    target_compile_definitions(${name} PRIVATE HANDRAIL_SQLITE)
  endif()
  # Eigen's own threads would make results depend on their number, in ops of users too. The library has Eigen in a
  # namespace of its own: a program that uses Eigen with -march=native has templates of the same names, but aligned in
  # another way, and the linker would take one of the two for both.
  target_compile_definitions(${name} PUBLIC EIGEN_DONT_PARALLELIZE PRIVATE HANDRAIL_VERSION="${PROJECT_VERSION}"
    Eigen=handrail_eigen ${handrail_kernel_definitions})
  # errno and floating-point traps are not looked at: loops with sqrt and comparisons vectorise. Products and sums are
  # fused where the kernels say so, and nowhere else: compilers differ in what they fuse, and the bits would.
  target_compile_options(${name} PRIVATE -fno-math-errno -fno-trapping-math -ffp-contract=off
    $<$<AND:$<CONFIG:Release,RelWithDebInfo>,$<CXX_COMPILER_ID:GNU>>:-O3>)
  if(HANDRAIL_TIDY)
    set_target_properties(${name} PROPERTIES CXX_CLANG_TIDY "${HANDRAIL_CLANG_TIDY}")
  endif()
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF VERIFY_INTERFACE_HEADER_SETS ON
    UNITY_BUILD ${HANDRAIL_UNITY} UNITY_BUILD_MODE GROUP
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}) # of a shared library
endfunction()
