#pragma once

#include <string>

namespace handrail::train::html {

/// Appends the start of a page up to and with <body>: the title, and a style sheet for light and dark screens,
/// telephones and paper. The page loads nothing and runs nothing: its Content-Security-Policy forbids all but its own
/// styles. reload: whether a browser reads the page again every minute.
void append_page_start(std::string& page, const std::string& title, bool reload);
void append_page_end(std::string& page);

}  // namespace handrail::train::html
