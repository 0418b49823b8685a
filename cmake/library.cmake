# The library: handrail_library(NAME) makes it and the alias handrail::NAME. It is called once for
# float and, for gradient checks, once for double.

set(handrail_headers
  core/build.h core/denormals.h core/eigen.h core/error.h core/finite.h core/first_non_finite.h core/gemm.h
  core/gradcheck.h core/ops.h core/parallel.h core/parameter.h core/pool.h core/random.h core/scalar.h core/shape.h
  core/tape.h core/tensor.h
  nn/activation.h nn/dropout.h nn/init.h nn/linear.h nn/module.h nn/norm.h nn/sequential.h nn/standardize.h
  optim/adam.h optim/clip.h optim/optimizer.h optim/param_group.h optim/schedule.h optim/sgd.h
  train/arguments.h train/checkpoint.h train/checkpoint_store.h train/console.h train/csv.h train/dataset.h
  train/early_stopping.h train/events.h train/guard.h train/idx.h train/layer_guard.h train/loader.h train/loss.h
  train/loss_guards.h train/lr_finder.h train/lr_scaling.h train/metrics.h train/mnist.h train/options.h
  train/progress_guards.h train/state.h train/statistics.h train/trainer.h train/try_fix.h)
include(${CMAKE_CURRENT_LIST_DIR}/kernels.cmake)
set(handrail_sources ${handrail_kernels}
  core/build.cpp core/denormals.cpp core/finite.cpp core/first_non_finite.cpp core/gemm.cpp core/gradcheck.cpp
  core/kernels.cpp
  core/ops_broadcast.cpp core/ops_dropout.cpp core/ops_elementwise.cpp core/ops_linear.cpp core/ops_loss.cpp
  core/ops_norm.cpp core/ops_reduce.cpp core/parallel.cpp core/parameter.cpp core/pool.cpp core/random.cpp
  core/shape.cpp core/tape.cpp core/tensor.cpp
  nn/activation.cpp nn/dropout.cpp nn/init.cpp nn/linear.cpp nn/module.cpp nn/norm.cpp nn/standardize.cpp
  optim/adam.cpp optim/clip.cpp optim/optimizer.cpp optim/optimizer_layers.cpp optim/optimizer_state.cpp
  optim/param_group.cpp optim/schedule.cpp optim/sgd.cpp
  train/arguments.cpp train/checkpoint.cpp train/checkpoint_codec.cpp train/checkpoint_store.cpp train/console.cpp
  train/container.cpp train/csv.cpp train/data_checks.cpp train/data_part.cpp train/dataset.cpp train/early_stopping.cpp
  train/events.cpp train/file_system.cpp train/idx.cpp train/input_file.cpp train/label_checks.cpp train/layer_guard.cpp
  train/loader.cpp train/loss.cpp train/loss_guards.cpp train/lr_finder.cpp train/lr_scaling.cpp train/metrics.cpp
  train/metrics_log.cpp train/mnist.cpp train/options.cpp train/prediction_checks.cpp train/progress_guards.cpp
  train/retention.cpp train/run.cpp train/run_end.cpp train/run_explain.cpp train/run_start.cpp train/run_state.cpp
  train/run_step.cpp train/scale_checks.cpp train/signals.cpp train/statistics.cpp train/summary.cpp train/text.cpp
  train/trainer.cpp train/try_fix.cpp)

# Sources are compiled in batches (CMake calls them unity builds): a batch reads each header once, which
# takes a third of the processor time. Kernels stay alone, for their flags differ. The sources of train
# are shared out by their first letters: a new source changes one batch, and all take about as long.
set(handrail_batches core "nn|optim" "train/[a-c]" "train/[d-o]" "train/[p-r]" "train/[s-z]")
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
foreach(folder core nn optim train)
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
      $<BUILD_INTERFACE:handrail_own>)
  # Eigen's own threads would make results depend on their number, in ops of users too.
  target_compile_definitions(${name} PUBLIC EIGEN_DONT_PARALLELIZE PRIVATE HANDRAIL_VERSION="${PROJECT_VERSION}"
    ${handrail_kernel_definitions})
  # errno and floating-point traps are not looked at: loops with sqrt and comparisons vectorise.
  target_compile_options(${name} PRIVATE -fno-math-errno -fno-trapping-math
    $<$<AND:$<CONFIG:Release,RelWithDebInfo>,$<CXX_COMPILER_ID:GNU>>:-O3>)
  if(HANDRAIL_TIDY)
    set_target_properties(${name} PROPERTIES CXX_CLANG_TIDY "${HANDRAIL_CLANG_TIDY}")
  endif()
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF VERIFY_INTERFACE_HEADER_SETS ON
    UNITY_BUILD ${HANDRAIL_UNITY} UNITY_BUILD_MODE GROUP
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}) # of a shared library
endfunction()
