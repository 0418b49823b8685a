#include <handrail/train/exchange/safetensors.h>

#include <string_view>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/exchange/internal/about.h>
#include <handrail/train/exchange/internal/safetensors_file.h>
#include <handrail/train/exchange/internal/safetensors_header.h>
#include <handrail/train/files/file_system.h>
#include <handrail/train/files/text.h>

namespace handrail::train {

void write_safetensors(const std::filesystem::path& path, const Safetensors& content, FileSystem& files,
                       const std::string& who) {
  const std::string header = safetensors_header(content.tensors, content.metadata, who);
  std::vector<std::string_view> pieces{header};
  for (const auto& [name, tensor] : content.tensors)
    pieces.emplace_back(reinterpret_cast<const char*>(tensor.data()), tensor.span().size_bytes());
  write_file(files, path, pieces, who);
}

Safetensors read_safetensors(std::string_view file, const std::string& who) {
  SafetensorsHeader header = parse_safetensors(file, who);
  Safetensors content{.tensors = {}, .metadata = std::move(header.metadata)};
  for (const SafetensorsEntry& entry : header.entries) {
    const Tensor tensor(entry.shape);
    const std::string_view bytes = file.substr(header.bytes + entry.begin, entry.end - entry.begin);
    if (const Index bad = to_scalars(entry.type, bytes, tensor.mutable_data()); bad >= 0)
      fail<DataError>(who, ": tensor ", quoted_name(entry.name), ' ', entry.shape, ": want numbers that ",
                      sizeof(Scalar) == 4 ? "a float" : "a double", " can hold; element ", bad, " is none");
    content.tensors.emplace(entry.name, tensor);
  }
  return content;
}

void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata, FileSystem& files) {
  write_safetensors(path, {.tensors = tensors, .metadata = metadata}, files, about_file("save_safetensors", path));
}

Safetensors load_safetensors(const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about_file("load_safetensors", path);
  return read_safetensors(read_file(files, path, who).bytes, who);
}

}  // namespace handrail::train
