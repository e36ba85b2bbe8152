//! The volume of a ZooKeeper member, before its first start and before later ones.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::path::PathBuf;

use botellier_operator::prepare::prepare;

struct Volume(PathBuf);

impl Volume {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("botellier-prepare-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("from")).unwrap();
        fs::create_dir_all(root.join("to")).unwrap();
        let volume = Self(root);
        volume.template("tickTime=1000\n");
        fs::write(volume.0.join("from/zoo.cfg.dynamic"), "server.1=a:2888:3888:participant;2181\n").unwrap();
        volume
    }

    fn template(&self, text: &str) {
        fs::write(self.0.join("from/zoo.cfg"), text).unwrap();
    }

    fn prepare(&self, pod: &str) -> Result<(), String> {
        prepare(&self.0.join("from"), &self.0.join("to"), pod).map_err(|error| error.to_string())
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join("to").join(file)).unwrap()
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_empty_volume_gets_its_id_and_the_first_configuration() {
    let volume = Volume::new("empty");
    volume.prepare("cache-zookeeper-2").unwrap();
    assert_eq!(volume.read("zookeeper/myid"), "3\n");
    let pointer = format!("dynamicConfigFile={}/to/conf/zoo.cfg.dynamic\n", volume.0.display());
    assert_eq!(volume.read("conf/zoo.cfg"), format!("tickTime=1000\n{pointer}"));
    assert_eq!(volume.read("conf/zoo.cfg.dynamic"), "server.1=a:2888:3888:participant;2181\n");
}

#[test]
fn a_reconfigured_member_keeps_its_configuration_and_takes_new_settings() {
    let volume = Volume::new("kept");
    volume.prepare("zk-0").unwrap();
    // As ZooKeeper leaves it after a reconfiguration.
    let dynamic = volume.0.join("to/conf/zoo.cfg.dynamic.200000000");
    fs::write(&dynamic, "server.1=b\n").unwrap();
    fs::write(
        volume.0.join("to/conf/zoo.cfg"),
        format!("tickTime=1000\ndynamicConfigFile={}\n", dynamic.display()),
    )
    .unwrap();
    volume.template("tickTime=2000\n");
    volume.prepare("zk-0").unwrap();
    assert_eq!(
        volume.read("conf/zoo.cfg"),
        format!("tickTime=2000\ndynamicConfigFile={}\n", dynamic.display())
    );
}

#[test]
fn a_volume_of_another_member_is_refused() {
    let volume = Volume::new("foreign");
    volume.prepare("zk-0").unwrap();
    let error = volume.prepare("zk-1").unwrap_err();
    assert!(error.contains("zk-1 is member 2, but this volume belongs to member 1"), "{error}");
}

#[test]
fn a_configuration_that_is_lost_is_not_made_up() {
    let volume = Volume::new("lost");
    volume.prepare("zk-0").unwrap();
    fs::remove_file(volume.0.join("to/conf/zoo.cfg.dynamic")).unwrap();
    assert!(volume.prepare("zk-0").unwrap_err().contains("is missing"));
}
