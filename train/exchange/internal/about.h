#pragma once

#include <filesystem>
#include <string>

#include <handrail/core/error.h>

namespace handrail::train {

/// How the errors of a function about a file start: "load_npy: 'path'".
inline std::string about_file(const char* function, const std::filesystem::path& path) {
  return concat(function, ": '", path.string(), "'");
}

}  // namespace handrail::train
