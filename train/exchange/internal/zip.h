#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace handrail::train {

// ZIP archives of members that are stored or deflated, without ZIP64.
// Source: APPNOTE.TXT of PKWARE, version 6.3.10; RFC 1951 for deflated data.

/// A member that is written: its content, piece by piece.
struct ZipMember {
  std::string name;
  std::vector<std::string_view> pieces;
};

/// What is written before and behind the pieces of the members, which are stored as they are.
struct ZipFrame {
  std::vector<std::string> local_headers;  // one before the pieces of each member
  std::string end;                         // behind the last piece
};
/// The frame of an archive with these members. Throws OptionError, starting with `who`, for an archive of 4 GB or more,
/// or more than 65,534 members.
ZipFrame zip_frame(const std::vector<ZipMember>& members, const std::string& who);

/// Calls `take` with the name and the content of each member of an archive, in the order of its directory. file: the
/// whole archive. One member is in memory at a time. Throws DataError, starting with `who`, for a damaged archive, an
/// encrypted one, one of several parts and one that needs ZIP64, and for members that overlap.
void unzip(std::string_view file, const std::string& who,
           const std::function<void(const std::string& name, std::string_view content)>& take);

}  // namespace handrail::train
