#pragma once

// Inside the library: the functions of OpenMP, or in a build without it those of one thread.

#ifdef _OPENMP
#include <omp.h>
#else
inline int omp_get_num_procs() { return 1; }
inline int omp_get_max_threads() { return 1; }
inline int omp_get_thread_limit() { return 1; }
inline int omp_get_thread_num() { return 0; }
inline int omp_in_parallel() { return 1; }  // so that everything works alone
#endif
