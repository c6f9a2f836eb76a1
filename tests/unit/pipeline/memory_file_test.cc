#include "pipeline/memory_file.h"

#include <gtest/gtest.h>

#include <string>

#include "pipeline/child_process.h"

namespace pgteal::pipeline {
namespace {

std::string Shell(const std::string& command) {
  const auto result = RunChild({.argv = {"sh", "-c", command}});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  return result.output;
}

TEST(MemoryFileTest, AChildReadsItFromTheBeginningAndSoDoesTheNext) {
  const MemoryFile file("test", "a line\n");
  EXPECT_EQ(Shell("cat " + file.path()), "a line\n");
  EXPECT_EQ(Shell("cat " + file.path()), "a line\n");
  EXPECT_EQ(Shell("stat -L -c %a " + file.path()), "600\n");
}

TEST(MemoryFileTest, WhatAChildWritesIsReadByTheNext) {
  const MemoryFile file("test");
  Shell("echo first > " + file.path());
  Shell("echo second > " + file.path());
  EXPECT_EQ(Shell("cat " + file.path()), "second\n");
}

TEST(MemoryFileTest, ItIsGoneWithItsOwner) {
  std::string path;
  {
    const MemoryFile file("test");
    path = file.path();
  }
  EXPECT_NE(RunChild({.argv = {"cat", path}}).exit_code, 0);
}

}  // namespace
}  // namespace pgteal::pipeline
