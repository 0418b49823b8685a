#pragma once

#include <doctest/doctest.h>

#include <string>

/// Runs f, which must throw E with a text that contains every one of the parts.
template <class E, class F, class... Parts>
void check_throws(F&& f, const Parts&... parts) {
  try {
    f();
    FAIL_CHECK("want an exception; got none");
  } catch (const E& error) {
    const std::string text = error.what();
    const auto has = [&](const std::string& part) {
      CHECK_MESSAGE(text.find(part) != std::string::npos, "want '", part, "' in '", text, "'");
    };
    (has(parts), ...);
  } catch (const std::exception& error) {
    FAIL_CHECK("got an exception of another type: ", error.what());
  }
}
