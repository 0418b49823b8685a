include(CMakePackageConfigHelpers)
set(handrail_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/handrail)

set(handrail_targets handrail)
if(HANDRAIL_F64)
  list(APPEND handrail_targets handrail_f64)
endif()
install(TARGETS ${handrail_targets} EXPORT handrail-targets FILE_SET HEADERS)
install(EXPORT handrail-targets NAMESPACE handrail:: DESTINATION ${handrail_package_dir})
configure_package_config_file(cmake/handrail-config.cmake.in handrail-config.cmake
  INSTALL_DESTINATION ${handrail_package_dir})
write_basic_package_version_file(handrail-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/handrail-config.cmake ${PROJECT_BINARY_DIR}/handrail-config-version.cmake
  DESTINATION ${handrail_package_dir})
