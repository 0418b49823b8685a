#include <nlohmann/json.hpp>

#include <handrail/core/error.h>
#include <handrail/train/exchange/internal/safetensors_header.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

std::string json_text(const std::string& text, const std::string& who) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::type_error&) {
    fail<OptionError>(who, ": want names and metadata in UTF-8; got ", quoted_name(text));
  }
}

}  // namespace

std::string safetensors_header(const NamedTensors& tensors, const std::map<std::string, std::string>& metadata,
                               const std::string& who) {
  std::string text;
  const auto open = [&](const std::string& name) { text += (text.empty() ? "{" : ",") + json_text(name, who) + ":{"; };
  if (!metadata.empty()) {
    open(safetensors_metadata);
    for (const auto& [name, value] : metadata) text += json_text(name, who) + ":" + json_text(value, who) + ",";
    text.back() = '}';
  }
  std::size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    if (name == safetensors_metadata)
      fail<OptionError>(who, ": want a name other than __metadata__ for a tensor; got it");
    if (!tensor.defined()) fail<OptionError>(who, ": want tensors; ", quoted_name(name), " is undefined");
    open(name);
    std::string dims;
    for (const Index dim : tensor.shape().dims()) dims += (dims.empty() ? "" : ",") + std::to_string(dim);
    const std::size_t end = offset + tensor.span().size_bytes();
    text += concat("\"dtype\":\"", sizeof(Scalar) == 4 ? "F32" : "F64", "\",\"shape\":[", dims, "],\"data_offsets\":[",
                   offset, ",", end, "]}");
    offset = end;
  }
  text += text.empty() ? "{}" : "}";
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > max_safetensors_header)
    fail<OptionError>(who, ": want names and metadata of at most 100 MB; got ", text.size(), " bytes");
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(text.size() >> (8 * i) & 255);
  return bytes + text;
}

}  // namespace handrail::train
