#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HANDRAIL_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HANDRAIL_TEST_SANITIZED 1
#endif
#endif
#ifndef HANDRAIL_TEST_SANITIZED
#define HANDRAIL_TEST_SANITIZED 0
#endif

#if defined(__SANITIZE_THREAD__)
#define HANDRAIL_TEST_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HANDRAIL_TEST_THREAD_SANITIZER 1
#endif
#endif
#ifndef HANDRAIL_TEST_THREAD_SANITIZER
#define HANDRAIL_TEST_THREAD_SANITIZER 0
#endif

/// Whether the thread sanitizer watches, which delivers signals late and refuses threads in a forked process.
inline constexpr bool thread_sanitizer = HANDRAIL_TEST_THREAD_SANITIZER != 0;

/// Whether a sanitizer watches, which makes everything about ten times slower: tests then count less far.
inline constexpr bool sanitized = HANDRAIL_TEST_SANITIZED != 0;
