# What is installed, and the packages that `cpack` makes of it. Everything in it can be moved.
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

if(BUILD_SHARED_LIBS)
  # The program finds the library wherever both are moved.
  file(RELATIVE_PATH handrail_lib_from_bin /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
  set_target_properties(handrail-report PROPERTIES INSTALL_RPATH $ORIGIN/${handrail_lib_from_bin} BUILD_RPATH_USE_ORIGIN ON)
endif()
install(TARGETS handrail-report)

# For builds without CMake: pkg-config --cflags --libs handrail. The linker takes what a static library needs from
# whoever links it, so that is public then.
set(handrail_needs "-lz")
set(handrail_sqlite_package "")
if(HANDRAIL_SQLITE AND SQLite3_FOUND)
  string(APPEND handrail_needs " -lsqlite3")
  set(handrail_sqlite_package ", libsqlite3-dev")
endif()
if(TARGET OpenMP::OpenMP_CXX AND HANDRAIL_OPENMP)
  string(APPEND handrail_needs " ${OpenMP_CXX_FLAGS}")
endif()
string(APPEND handrail_needs " -lpthread")
set(handrail_libs_private "")
if(BUILD_SHARED_LIBS)
  set(handrail_libs_private ${handrail_needs})
  set(handrail_needs "")
endif()
file(RELATIVE_PATH handrail_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" handrail_up ${handrail_up})
set(handrail_f64_cflags " -DHANDRAIL_F64")
foreach(name ${handrail_targets})
  set(handrail_cflags "${${name}_cflags}")
  configure_file(cmake/handrail.pc.in ${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

if(PROJECT_IS_TOP_LEVEL)
  install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright) # where Debian looks for it
  install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})

  set(CPACK_GENERATOR DEB TGZ)
  set(CPACK_PACKAGE_NAME libhandrail-dev)
  set(CPACK_PACKAGE_CONTACT "the handrail developers <maintainers@handrail.invalid>")
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
  set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
  set(CPACK_VERBATIM_VARIABLES ON)
  set(CPACK_STRIP_FILES ON)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "libeigen3-dev (>= 3.4), zlib1g-dev${handrail_sqlite_package}, g++ | clang")
  set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "cmake (>= 3.25) | pkg-config")
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON) # of the program, and of a shared library
  include(CPack)
endif()
