// Shifts of 128 bits by a distance that is only known at run time, for which LLVM would ask a library. They
// work on the two limbs; a distance of 64 or more moves one limb into the other.
#include "passes.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"

using namespace llvm;

static Value *join(IRBuilder<> &B, Value *Low, Value *High) {
  auto *T = B.getInt128Ty();
  return B.CreateOr(B.CreateZExt(Low, T), B.CreateShl(B.CreateZExt(High, T), 64));
}

static Value *shift(IRBuilder<> &B, unsigned Opcode, Value *V, Value *Distance) {
  auto *Limb = B.getInt64Ty();
  Value *Low = B.CreateTrunc(V, Limb), *High = B.CreateTrunc(B.CreateLShr(V, 64), Limb);
  Value *By = B.CreateTrunc(Distance, Limb);
  Value *Far = B.CreateICmpUGE(By, B.getInt64(64));
  Value *Within = B.CreateAnd(By, 63), *Rest = B.CreateXor(Within, 63); // Rest is 63 - Within
  // what crosses goes one bit and then Rest bits, since a limb cannot be shifted by 64
  if (Opcode == Instruction::Shl) {
    Value *Moved = B.CreateShl(Low, Within);
    Value *Crossing = B.CreateLShr(B.CreateLShr(Low, 1), Rest);
    Value *Near = B.CreateOr(B.CreateShl(High, Within), Crossing);
    return join(B, B.CreateSelect(Far, B.getInt64(0), Moved), B.CreateSelect(Far, Moved, Near));
  }
  bool Signed = Opcode == Instruction::AShr;
  Value *Fill = Signed ? B.CreateAShr(High, 63) : B.getInt64(0);
  Value *Moved = Signed ? B.CreateAShr(High, Within) : B.CreateLShr(High, Within);
  Value *Crossing = B.CreateShl(B.CreateShl(High, 1), Rest);
  Value *Near = B.CreateOr(B.CreateLShr(Low, Within), Crossing);
  return join(B, B.CreateSelect(Far, Moved, Near), B.CreateSelect(Far, Fill, Moved));
}

// fshl(a, b, s): the upper half of a:b shifted left by s modulo 128; fshr: the lower half, to the right
static Value *funnel(IRBuilder<> &B, IntrinsicInst *I) {
  Value *A = I->getArgOperand(0), *X = I->getArgOperand(1);
  auto *T = A->getType();
  Value *By = B.CreateAnd(I->getArgOperand(2), ConstantInt::get(T, 127));
  Value *Rest = B.CreateXor(By, ConstantInt::get(T, 127));
  Value *One = ConstantInt::get(T, 1);
  if (I->getIntrinsicID() == Intrinsic::fshl) {
    Value *Upper = shift(B, Instruction::Shl, A, By);
    return B.CreateOr(Upper, shift(B, Instruction::LShr, B.CreateLShr(X, One), Rest));
  }
  Value *Lower = shift(B, Instruction::LShr, X, By);
  return B.CreateOr(Lower, shift(B, Instruction::Shl, B.CreateShl(A, One), Rest));
}

static Value *expanded(Instruction *I) {
  if (!I->getType()->isIntegerTy(128))
    return nullptr;
  IRBuilder<> B(I);
  if (I->isShift() && !isa<ConstantInt>(I->getOperand(1)))
    return shift(B, I->getOpcode(), I->getOperand(0), I->getOperand(1));
  if (auto *Call = dyn_cast<IntrinsicInst>(I))
    if (Call->getIntrinsicID() == Intrinsic::fshl || Call->getIntrinsicID() == Intrinsic::fshr)
      return funnel(B, Call);
  return nullptr;
}

PreservedAnalyses sbf::ExpandShifts::run(Module &M, ModuleAnalysisManager &) {
  for (auto &F : M) {
    SmallVector<Instruction *> All;
    for (auto &I : instructions(F))
      All.push_back(&I);
    for (auto *I : All)
      if (auto *New = expanded(I)) {
        I->replaceAllUsesWith(New);
        I->eraseFromParent();
      }
  }
  return PreservedAnalyses::none();
}
