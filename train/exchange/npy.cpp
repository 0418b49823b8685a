#include <handrail/train/exchange/npy.h>

#include <string>
#include <string_view>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/exchange/internal/about.h>
#include <handrail/train/exchange/internal/npy_format.h>
#include <handrail/train/exchange/internal/zip.h>
#include <handrail/train/files/file_system.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr std::string_view ending = ".npy";

std::string_view elements_of(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data()), tensor.span().size_bytes()};
}

}  // namespace

void save_npy(const std::filesystem::path& path, const Tensor& tensor, FileSystem& files) {
  const std::string header = npy_header(tensor);
  const std::vector<std::string_view> pieces{header, elements_of(tensor)};
  write_file(files, path, pieces, about_file("save_npy", path));
}

Tensor load_npy(const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about_file("load_npy", path);
  return parse_npy(read_file(files, path, who).bytes, who);
}

void save_npz(const std::filesystem::path& path, const NamedTensors& tensors, FileSystem& files) {
  const std::string who = about_file("save_npz", path);
  std::vector<std::string> headers;
  std::vector<ZipMember> members;
  headers.reserve(tensors.size());  // members have views of them
  for (const auto& [name, tensor] : tensors) {
    // A name that is printable is UTF-8 without control characters.
    if (name.empty() || printable(name, LineEnds::escape) != name)
      fail<OptionError>(who, ": want names in UTF-8 without control characters; got ", quoted_name(name));
    headers.push_back(npy_header(tensor));
    members.push_back({.name = concat(name, ending), .pieces = {headers.back(), elements_of(tensor)}});
  }
  const ZipFrame frame = zip_frame(members, who);
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < members.size(); ++i) {
    pieces.push_back(frame.local_headers[i]);
    pieces.insert(pieces.end(), members[i].pieces.begin(), members[i].pieces.end());
  }
  pieces.push_back(frame.end);
  write_file(files, path, pieces, who);
}

NamedTensors load_npz(const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about_file("load_npz", path);
  NamedTensors tensors;
  unzip(read_file(files, path, who).bytes, who, [&](const std::string& name, std::string_view content) {
    if (!name.ends_with(ending)) fail<DataError>(who, ": want members NAME.npy; got ", quoted_name(name));
    const std::string of_tensor = name.substr(0, name.size() - ending.size());
    const auto added = tensors.emplace(of_tensor, parse_npy(content, who + ": " + quoted_name(name)));
    if (!added.second) fail<DataError>(who, ": want each name once; got ", quoted_name(name), " twice");
  });
  return tensors;
}

}  // namespace handrail::train
