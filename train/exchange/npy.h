#pragma once

#include <filesystem>

#include <handrail/train/checkpoints/state.h>

namespace handrail::train {

class FileSystem;                 // the system calls; tests replace them
FileSystem& posix_file_system();  // those of the operating system

/// Writes a tensor as a file that numpy.load reads: <f4, or <f8 by the library in double, in C order. The file at
/// `path` is replaced atomically. Throws CheckpointError when a system call fails.
void save_npy(const std::filesystem::path& path, const Tensor& tensor, FileSystem& files = posix_file_system());
/// Reads a file of numpy.save: versions 1.0 to 3.0, little-endian, in C or Fortran order. <f8 is rounded to Scalar;
/// <f2, booleans and whole numbers are converted when each has a Scalar that equals it. Throws DataError for a
/// malformed file, another dtype, more than 4 dimensions, and a number that no Scalar equals; CheckpointError when the
/// file cannot be read.
Tensor load_npy(const std::filesystem::path& path, FileSystem& files = posix_file_system());

/// Writes tensors as a file that numpy.load reads as a dictionary: a ZIP archive of .npy files, not compressed, as
/// numpy.savez writes. The file at `path` is replaced atomically. Throws OptionError for a name that is empty, is not
/// UTF-8 or has control characters, and for 4 GB or more, or more than 65,534 tensors, which would need ZIP64;
/// CheckpointError when a system call fails.
void save_npz(const std::filesystem::path& path, const NamedTensors& tensors, FileSystem& files = posix_file_system());
/// Reads a file of numpy.savez or numpy.savez_compressed, by the names of its members without ".npy". Members that need
/// ZIP64, of 4 GB or more, are refused. No memory is asked for that deflated data of its length cannot fill. Throws
/// DataError as load_npy does, and naming the member for a damaged archive: sums that differ, sizes that contradict
/// each other, other methods of compression, a member that inflates to more than it says, two members of one name.
NamedTensors load_npz(const std::filesystem::path& path, FileSystem& files = posix_file_system());

}  // namespace handrail::train
