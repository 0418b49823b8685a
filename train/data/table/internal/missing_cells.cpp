#include <algorithm>

#include <handrail/train/data/table/internal/missing_cells.h>

namespace handrail::train {
namespace {

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

MissingCells::MissingCells(const std::vector<std::string>& codes) : codes_(codes) {
  for (const std::string& code : codes) {
    if (code.empty()) {
      empty_ = true;
      continue;
    }
    starts_[static_cast<unsigned char>(lower(code[0]))] = true;
    starts_[static_cast<unsigned char>(upper(code[0]))] = true;
  }
}

bool MissingCells::is_code(std::string_view cell) const {
  return std::ranges::any_of(codes_, [cell](const std::string& code) {
    return code.size() == cell.size() && std::ranges::equal(code, cell, {}, lower, lower);
  });
}

}  // namespace handrail::train
