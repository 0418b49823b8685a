#pragma once

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/files.h"

// What is wrong with a page of XML whose elements are not closed where they have to be; empty when nothing is.
inline std::string malformed(const std::string& page) {
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    if (page[at + 1] == '!') continue;
    const std::size_t end = page.find('>', at);
    if (end == std::string::npos) return "a tag is not closed";
    const bool closes = page[at + 1] == '/', is_empty = page[end - 1] == '/';
    const std::size_t begin = at + (closes ? 2 : 1);
    const std::string name = page.substr(begin, page.find_first_of(" />", begin) - begin);
    if (closes) {
      if (open.empty() || open.back() != name) return "</" + name + "> closes nothing";
      open.pop_back();
    } else if (!is_empty) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> is left open";
}

/// Checks that a page is well-formed, runs no script, loads nothing, and forbids both.
inline void check_page(const std::string& page) {
  CHECK(malformed(page) == "");
  for (const char* absent : {"<script", "javascript:", " onload=", " onclick=", "http:", "https:", "url(", "@import",
                             "<link", "<img", "<iframe", "<object", "<embed", " src=", " href="}) {
    CAPTURE(absent);
    CHECK(!contains(page, absent));
  }
  CHECK(contains(page, "default-src &#39;none&#39;"));
  CHECK(contains(page, "<html lang=\"en\">"));
}
