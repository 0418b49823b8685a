#include <handrail/train/exchange/weights.h>

#include <map>
#include <string>

#include <handrail/core/error.h>
#include <handrail/train/checkpoints/internal/weights_file.h>
#include <handrail/train/exchange/internal/about.h>
#include <handrail/train/exchange/internal/model_texts.h>
#include <handrail/train/exchange/internal/pytorch_layout.h>
#include <handrail/train/exchange/internal/safetensors_file.h>
#include <handrail/train/files/file_system.h>

namespace handrail::train {
namespace {

constexpr const char* extension = ".safetensors";

// A file of safetensors has the length of its header in 8 bytes, then the header, a JSON object. A file of the library
// begins with a mark, and its ninth byte is the number of a format below '{'. What is neither, the name decides, so
// that the error is about the format that was meant.
bool is_safetensors(FileSystem& files, const std::filesystem::path& path, const std::string& who) {
  const std::string start = read_file(files, path, who, 9).bytes;
  if (start.starts_with("\x89HRC")) return false;
  return path.extension() == extension || (start.size() == 9 && start[8] == '{');
}

void write_for_pytorch(const nn::Module& model, std::map<std::string, std::string> metadata,
                       const std::filesystem::path& path, FileSystem& files, const std::string& who) {
  metadata["format"] = "pt";
  write_safetensors(path, {.tensors = to_pytorch(model, finite_state(model, who)), .metadata = std::move(metadata)},
                    files, who);
}

}  // namespace

void save_weights(const nn::Module& model, const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about_file("save_weights", path);
  if (path.extension() == extension)
    write_for_pytorch(model, {}, path, files, who);
  else
    write_weights(model, path, files, who);
}

void save_weights(const nn::Module& model, const ModelInfo& info, const std::filesystem::path& path,
                  FileSystem& files) {
  const std::string who = about_file("save_weights", path);
  if (path.extension() != extension)
    fail<OptionError>(who, ": want a path that ends in .safetensors; save_model writes any other file with this info");
  write_for_pytorch(model, texts_of(info), path, files, who);
}

void load_weights(nn::Module& model, const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about_file("load_weights", path);
  if (!is_safetensors(files, path, who)) return restore(model, read_weights(path, files, who), who);
  ModelState state;
  try {
    state = from_pytorch(model, read_safetensors(read_file(files, path, who).bytes, who).tensors);
  } catch (const DataError& error) {
    throw CheckpointError(error.what());
  }
  check_finite(state, who);
  restore(model, state, who);
}

}  // namespace handrail::train
