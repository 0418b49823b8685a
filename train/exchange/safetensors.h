#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <handrail/train/checkpoints/state.h>

namespace handrail::train {

class FileSystem;                 // the system calls; tests replace them
FileSystem& posix_file_system();  // those of the operating system

/// What a file of safetensors holds: tensors and texts by their names.
struct Safetensors {
  NamedTensors tensors;                              // of Scalar, whatever the dtype in the file
  std::map<std::string, std::string> metadata = {};  // its "__metadata__", such as "format"
};

/// Writes tensors in the format of the Hugging Face library safetensors, which Python programs read with
/// safetensors.torch.load_file: as F32, or as F64 by the library in double. The file at `path` is replaced atomically.
/// metadata: texts by name; PyTorch wants "format" to be "pt". Throws OptionError for a name that is not UTF-8 or is
/// "__metadata__" and for an undefined tensor; CheckpointError when a system call fails.
void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata = {}, FileSystem& files = posix_file_system());
/// Reads such a file, whatever wrote it. The whole header is checked before memory is asked for by what it says. F64 is
/// rounded to Scalar. F16, BF16, booleans and whole numbers are converted when each has a Scalar that equals it. Values
/// may be NaN and infinite. Throws DataError naming the tensor for a malformed file, another dtype, more than 4
/// dimensions, and a number that no Scalar equals; CheckpointError when the file cannot be read.
Safetensors load_safetensors(const std::filesystem::path& path, FileSystem& files = posix_file_system());

}  // namespace handrail::train
