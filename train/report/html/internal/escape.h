#pragma once

#include <string>
#include <string_view>

namespace handrail::train::html {

/// Appends text so that HTML and SVG show it as it is, in an element and in a quoted attribute: & < > " ' become
/// entities, and control characters and bytes that are not UTF-8 are written as printable() writes them. Names of
/// models, layers, classes and metrics come from outside: every text of a page passes through here.
void append_escaped(std::string& page, std::string_view text);
/// The text as append_escaped writes it.
std::string escaped(std::string_view text);

/// The text, cut to `max_characters` characters, the last of which is then an ellipsis.
std::string shortened(std::string_view text, std::size_t max_characters);

}  // namespace handrail::train::html
