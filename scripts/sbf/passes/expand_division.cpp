// sBPF divides unsigned numbers of 64 bits. Signed division goes through the absolute values; division of
// 128 bits calls the functions that std brings along (compiler_builtins), which the linked module holds.
#include "passes.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Module.h"

using namespace llvm;

static bool isDivision(unsigned Opcode) {
  return Opcode == Instruction::UDiv || Opcode == Instruction::URem || Opcode == Instruction::SDiv ||
         Opcode == Instruction::SRem;
}

// Value of the same size: V where Sign is 0, -V where Sign is -1.
static Value *withSign(IRBuilder<> &B, Value *V, Value *Sign) { return B.CreateSub(B.CreateXor(V, Sign), Sign); }

static Value *signedDivision(IRBuilder<> &B, BinaryOperator *I) {
  Value *X = I->getOperand(0), *Y = I->getOperand(1);
  unsigned Top = X->getType()->getIntegerBitWidth() - 1;
  Value *SignX = B.CreateAShr(X, Top), *SignY = B.CreateAShr(Y, Top);
  Value *AbsX = withSign(B, X, SignX), *AbsY = withSign(B, Y, SignY);
  if (I->getOpcode() == Instruction::SDiv)
    return withSign(B, B.CreateUDiv(AbsX, AbsY), B.CreateXor(SignX, SignY));
  return withSign(B, B.CreateURem(AbsX, AbsY), SignX); // the remainder has the sign of the dividend
}

static StringRef functionFor(unsigned Opcode) {
  switch (Opcode) {
  case Instruction::UDiv:
    return "__udivti3";
  case Instruction::URem:
    return "__umodti3";
  case Instruction::SDiv:
    return "__divti3";
  default:
    return "__modti3";
  }
}

namespace {
struct Slots {
  AllocaInst *Result, *Dividend, *Divisor;
};
} // namespace

static Slots makeSlots(Function *F) {
  IRBuilder<> B(&*F->getEntryBlock().getFirstInsertionPt());
  auto *T = B.getInt128Ty();
  return {B.CreateAlloca(T), B.CreateAlloca(T), B.CreateAlloca(T)};
}

PreservedAnalyses sbf::ExpandDivision::run(Module &M, ModuleAnalysisManager &) {
  auto *P = PointerType::get(M.getContext(), 0);
  // values of 128 bits go in and out through pointers
  auto *Signature = FunctionType::get(Type::getVoidTy(M.getContext()), {P, P, P}, false);
  for (auto &F : M) {
    SmallVector<BinaryOperator *> Work;
    for (auto &I : instructions(F))
      if (isDivision(I.getOpcode()) && I.getType()->isIntegerTy())
        Work.push_back(cast<BinaryOperator>(&I));
    std::optional<Slots> S; // one set for all divisions of a function: frames are small
    for (auto *I : Work) {
      IRBuilder<> B(I);
      Value *New = nullptr;
      if (I->getType()->isIntegerTy(128)) {
        auto *Callee = M.getFunction(functionFor(I->getOpcode()));
        if (!Callee || Callee->isDeclaration() || Callee->getFunctionType() != Signature)
          continue; // llc divides bit by bit
        if (!S)
          S = makeSlots(&F);
        B.CreateStore(I->getOperand(0), S->Dividend);
        B.CreateStore(I->getOperand(1), S->Divisor);
        B.CreateCall(Callee, {S->Result, S->Dividend, S->Divisor});
        New = B.CreateLoad(I->getType(), S->Result);
      } else if (I->getOpcode() == Instruction::SDiv || I->getOpcode() == Instruction::SRem) {
        New = signedDivision(B, I);
      } else {
        continue;
      }
      I->replaceAllUsesWith(New);
      I->eraseFromParent();
    }
  }
  return PreservedAnalyses::none();
}
