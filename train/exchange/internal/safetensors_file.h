#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <handrail/train/exchange/safetensors.h>

namespace handrail::train {

// What save_safetensors and load_safetensors do, for functions with other names: errors start with `who`.

void write_safetensors(const std::filesystem::path& path, const Safetensors& content, FileSystem& files,
                       const std::string& who);
/// Reads from the bytes of the whole file.
Safetensors read_safetensors(std::string_view file, const std::string& who);

}  // namespace handrail::train
