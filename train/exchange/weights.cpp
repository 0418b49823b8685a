#include <handrail/train/exchange/weights.h>

#include <handrail/core/error.h>
#include <handrail/train/checkpoints/internal/weights_file.h>

namespace handrail::train {
namespace {

std::string about(const char* function, const std::filesystem::path& path) {
  return concat(function, ": '", path.string(), "'");
}

}  // namespace

void save_weights(const nn::Module& model, const std::filesystem::path& path, FileSystem& files) {
  write_weights(model, path, files, about("save_weights", path));
}

void load_weights(nn::Module& model, const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about("load_weights", path);
  restore(model, read_weights(path, files, who), who);
}

}  // namespace handrail::train
