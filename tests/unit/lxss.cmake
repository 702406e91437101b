# Tests of the manager and the launcher: lxss_unit_tests.
find_package(GTest REQUIRED)

add_executable(lxss_fake_instance ${CMAKE_CURRENT_LIST_DIR}/lxss_fake_instance.cc)
target_link_libraries(lxss_fake_instance PRIVATE lxss_lib)

add_executable(lxss_unit_tests
  ${CMAKE_CURRENT_LIST_DIR}/lxss_archive_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/lxss_command_line_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/lxss_config_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/lxss_launch_plan_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/lxss_manager_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/lxss_registry_test.cc)
target_link_libraries(lxss_unit_tests PRIVATE lxss_lib GTest::gtest_main)
target_compile_definitions(lxss_unit_tests PRIVATE
  LXSS_LAUNCHER="$<TARGET_FILE:lxss>" LXSS_FAKE_INSTANCE="$<TARGET_FILE:lxss_fake_instance>")
add_dependencies(lxss_unit_tests lxss lxssd lxss_fake_instance)
add_test(NAME lxss_unit_tests COMMAND lxss_unit_tests)
