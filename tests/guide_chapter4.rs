//! The programs of the guide's chapter 4 as processes, each with native C peers in every role, and with peers that die and
//! hang.

#[path = "guide_chapter4/binary_star.rs"]
mod binary_star;
mod common;
#[path = "guide_chapter4/freelance.rs"]
mod freelance;
#[path = "guide_chapter4/majordomo.rs"]
mod majordomo;
#[path = "guide_chapter4/majordomo_chaos.rs"]
mod majordomo_chaos;
#[path = "guide/peers.rs"]
mod peers;
#[path = "guide_chapter4/pirate.rs"]
mod pirate;
#[path = "guide_chapter4/titanic.rs"]
mod titanic;
#[path = "guide_chapter4/titanic_chaos.rs"]
mod titanic_chaos;
