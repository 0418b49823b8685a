# The kernels are compiled once for each instruction set; core/system/internal/kernels.cpp chooses a set when a program runs.

# Kernels are optimised fully also in handrail_f64, whose other sources are not.
set(_fast $<$<CONFIG:Release>:-O3>)
set(handrail_kernels core/kernels/portable.cpp)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  list(APPEND handrail_kernels core/kernels/avx2.cpp core/kernels/avx512.cpp)
  # The options of a source come after those of all sources, so that this -march replaces one in CMAKE_CXX_FLAGS.
  set(_avx2 -march=x86-64 -mavx2 -mfma)
  set_source_files_properties(core/kernels/portable.cpp PROPERTIES COMPILE_OPTIONS "${_fast};-march=x86-64")
  set_source_files_properties(core/kernels/avx2.cpp PROPERTIES COMPILE_OPTIONS "${_fast};${_avx2}")
  set_source_files_properties(core/kernels/avx512.cpp PROPERTIES
    COMPILE_OPTIONS "${_fast};${_avx2};-mavx512f;-mavx512dq;-mavx512vl;-mavx512bw;-mprefer-vector-width=512")
  set(handrail_kernel_definitions HANDRAIL_X86_KERNELS)
else()
  list(REMOVE_ITEM handrail_sources core/kernels/avx2.cpp core/kernels/avx512.cpp)
  set_source_files_properties(core/kernels/portable.cpp PROPERTIES COMPILE_OPTIONS "${_fast}")
endif()
