// The passes that make upstream LLVM's BPF backend accept what Solana programs need. One file each.
#pragma once

#include "llvm/IR/PassManager.h"

namespace sbf {

// sbf-panic: std's panic and allocation-failure paths become abort().
struct AbortOnPanic : llvm::PassInfoMixin<AbortOnPanic> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

// sbf-libc: memcpy, memmove, memset, memcmp and bcmp, in terms of the runtime's functions.
struct MemoryFunctions : llvm::PassInfoMixin<MemoryFunctions> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

// sbf-sret: drops the attribute sret, which the backend refuses.
struct DropSret : llvm::PassInfoMixin<DropSret> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

// sbf-pack: arguments beyond the five registers go through a struct on the caller's stack.
struct PackArguments : llvm::PassInfoMixin<PackArguments> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

// sbf-divide: signed division, and division of more than 64 bits.
struct ExpandDivision : llvm::PassInfoMixin<ExpandDivision> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

// sbf-shift: shifts of 128 bits by a distance that is only known at run time.
struct ExpandShifts : llvm::PassInfoMixin<ExpandShifts> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

// sbf-multiply: products of more than 64 bits, and overflow checks that need such a product.
struct ExpandProducts : llvm::PassInfoMixin<ExpandProducts> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

// sbf-memory: copies and fills that are long, or of unknown length, become calls of the runtime.
struct ExpandMemory : llvm::PassInfoMixin<ExpandMemory> {
  llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &);
  static bool isRequired() { return true; }
};

} // namespace sbf
