#include "lxss/distro/registry.h"

#include "lxss/common/failure.h"
#include "lxss/distro/removal.h"
#include "tests/unit/lxss_test_support.h"

namespace lxss::distro {
namespace {

using common::Failure;

class RegistryTest : public testing::Test {
 protected:
  std::string path() const { return directory_ / "registry.sqlite"; }
  Distribution named(const std::string& name) const {
    return {.name = name, .directory = directory_ / name, .made_directory = true};
  }
  test::TemporaryDirectory directory_;
};

TEST_F(RegistryTest, NamesAreUniqueInAnyCase) {
  Registry registry(path());
  registry.begin_install(named("Debian"));
  EXPECT_THROW(registry.begin_install(named("debian")), Failure);
  EXPECT_EQ(registry.find("DEBIAN")->name, "Debian");
  EXPECT_THROW(registry.begin_install(named("a b")), Failure);
  EXPECT_THROW(registry.begin_install(named("..")), Failure);
  EXPECT_THROW(registry.begin_install(named("")), Failure);
}

TEST_F(RegistryTest, DirectoriesAreUnique) {
  Registry registry(path());
  registry.begin_install(named("a"));
  Distribution other = named("b");
  other.directory = named("a").directory;
  EXPECT_THROW(registry.begin_install(other), Failure);
}

TEST_F(RegistryTest, TheDefaultIsChosenOrTheFirst) {
  Registry registry(path());
  EXPECT_FALSE(registry.default_distribution());
  for (const char* name : {"b", "a"}) registry.begin_install(named(name));
  EXPECT_FALSE(registry.default_distribution()) << "not installed yet";
  registry.finish_install("b");
  EXPECT_EQ(registry.default_distribution()->name, "b");
  registry.finish_install("a");
  EXPECT_EQ(registry.default_distribution()->name, "b") << "the first one installed";
  registry.set_default("a");
  EXPECT_EQ(registry.default_distribution()->name, "a");
  registry.forget("a");
  EXPECT_EQ(registry.default_distribution()->name, "b");
}

TEST_F(RegistryTest, ACrashLeavesRowsThatCanBeCleanedUp) {
  {
    Registry registry(path());
    for (const char* name : {"done", "half", "going"}) {
      registry.begin_install(named(name));
      std::filesystem::create_directories(named(name).rootfs());
    }
    registry.finish_install("done");
    registry.finish_install("going");
    registry.begin_uninstall("going");
  }
  Registry registry(path());
  ASSERT_EQ(registry.interrupted().size(), 2u);
  for (const Distribution& left : registry.interrupted()) {
    remove_files(left);
    registry.forget(left.name);
  }
  EXPECT_EQ(registry.list().size(), 1u);
  EXPECT_TRUE(std::filesystem::exists(named("done").rootfs()));
  EXPECT_FALSE(std::filesystem::exists(named("half").directory));
  EXPECT_FALSE(std::filesystem::exists(named("going").directory));
}

TEST_F(RegistryTest, RemovalKeepsWhatThePersonPutThere) {
  Distribution distribution = named("a");
  std::filesystem::create_directories(distribution.rootfs());
  test::write_file(distribution.directory + "/mine", "x");
  remove_files(distribution);
  EXPECT_TRUE(std::filesystem::exists(distribution.directory + "/mine"));
  EXPECT_FALSE(std::filesystem::exists(distribution.rootfs()));
}

}  // namespace
}  // namespace lxss::distro
