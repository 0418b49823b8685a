#pragma once

#include <new>
#include <string>
#include <typeinfo>

#include <handrail/core/error.h>

/// Why the exception that is being handled is not one of a lack of memory; empty when it is.
inline std::string unsuitable_for_low_memory() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return {};
  } catch (const handrail::Error& error) {
    const std::string text = error.what();
    return text.find("memory") != std::string::npos ? "" : "an error that does not speak of memory: " + text;
  } catch (const std::exception& error) {
    return std::string("an exception of another type, ") + typeid(error).name() + ": " + error.what();
  }
}
