#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace handrail::train {

/// The cells that stand for a missing value, whatever their case. The codes must outlive it.
class MissingCells {
 public:
  explicit MissingCells(const std::vector<std::string>& codes);
  bool contains(std::string_view cell) const {
    return cell.empty() ? empty_ : starts_[static_cast<unsigned char>(cell[0])] && is_code(cell);
  }

 private:
  bool is_code(std::string_view cell) const;

  const std::vector<std::string>& codes_;
  std::array<bool, 256> starts_ = {};  // whether a code starts with this character
  bool empty_ = false;
};

}  // namespace handrail::train
